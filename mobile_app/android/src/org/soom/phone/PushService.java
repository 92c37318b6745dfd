package org.soom.phone;

import android.content.Context;
import com.google.firebase.messaging.FirebaseMessagingService;
import com.google.firebase.messaging.RemoteMessage;
import java.util.Map;

/** Keeps the push token for Python. Notes each message that arrives, with Python dead or alive, and draws it. */
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
        Map<String, String> said = message.getData();
        String messageId = said.get("message_id");
        if (messageId != null) {
            Ledger.note(this, "received", messageId, System.currentTimeMillis());
        }
        String key = said.get("occurrence_key");
        if (key != null) {
            // Where no such alarm waits it has rung already, or there is none: nothing comes twice.
            Alarms.pushed(this, key + "@" + said.get("occurrence_date"));
            return;
        }
        String tag = said.get("tag");
        if (tag != null) {
            Notices.show(this, said.get("channel"), tag, said.get("title"), said.get("body"), messageId);
        }
    }
}
