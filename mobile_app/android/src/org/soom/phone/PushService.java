package org.soom.phone;

import android.content.Context;
import com.google.firebase.messaging.FirebaseMessagingService;
import com.google.firebase.messaging.RemoteMessage;

/** Keeps the push token for Python, and draws a message that arrives while the app is in view. */
public final class PushService extends FirebaseMessagingService {
    static final String KEPT = "org.soom.phone.push";

    /** The last token that Firebase gave, or null. */
    public static String token(Context context) {
        return context.getSharedPreferences(KEPT, Context.MODE_PRIVATE).getString("token", null);
    }

    @Override
    public void onNewToken(String token) {
        getSharedPreferences(KEPT, MODE_PRIVATE).edit().putString("token", token).apply();
    }

    @Override
    public void onMessageReceived(RemoteMessage message) {
        RemoteMessage.Notification notification = message.getNotification();
        if (notification != null) {
            String tag = notification.getTag() != null ? notification.getTag() : "soom";
            Notices.show(this, tag, notification.getTitle(), notification.getBody());
        }
    }
}
