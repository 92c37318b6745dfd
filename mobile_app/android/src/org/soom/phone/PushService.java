package org.soom.phone;

import android.content.Context;
import com.google.firebase.messaging.FirebaseMessagingService;
import com.google.firebase.messaging.RemoteMessage;

/** Keeps the push token for Python, and draws a message that arrives while the app is in view. */
public final class PushService extends FirebaseMessagingService {
    private static final String KEPT = "org.soom.phone.push";
    private static final String TOKEN = "token";

    /** The last token that Firebase gave, or null: none yet, or no Firebase on this phone. */
    public static String token(Context context) {
        return context.getSharedPreferences(KEPT, Context.MODE_PRIVATE).getString(TOKEN, null);
    }

    @Override
    public void onNewToken(String token) {
        getSharedPreferences(KEPT, MODE_PRIVATE).edit().putString(TOKEN, token).commit();
    }

    @Override
    public void onMessageReceived(RemoteMessage message) {
        String messageId = message.getData().get("message_id");
        if (messageId != null) {
            Ledger.note(this, "received", messageId, System.currentTimeMillis());
        }
        String key = message.getData().get("occurrence_key");
        if (key != null && Alarms.pushed(this, key + "@" + message.getData().get("occurrence_date"))) {
            return;
        }
        RemoteMessage.Notification notification = message.getNotification();
        if (notification == null) {
            return;
        }
        String channel = notification.getChannelId() != null ? notification.getChannelId() : "messages";
        String tag = notification.getTag() != null ? notification.getTag() : channel;
        Notices.show(this, channel, tag, notification.getTitle(), notification.getBody(), messageId);
    }
}
