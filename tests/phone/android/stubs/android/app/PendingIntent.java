package android.app;

import android.content.Context;
import android.content.Intent;

public final class PendingIntent {
    public static final int FLAG_UPDATE_CURRENT = 1 << 27;
    public static final int FLAG_NO_CREATE = 1 << 29;
    /** What the system knows; a reboot and a forced stop make it forget. */
    public static final java.util.Map<String, PendingIntent> KNOWN = new java.util.HashMap<>();
    public static final int FLAG_IMMUTABLE = 1 << 26;
    public final Intent intent;

    private PendingIntent(Intent intent) { this.intent = intent; }
    public static PendingIntent getBroadcast(Context context, int code, Intent intent, int flags) {
        return checked(intent, flags);
    }
    public static PendingIntent getActivity(Context context, int code, Intent intent, int flags) {
        return checked(intent, flags);
    }

    /** Android 12 and newer throws here too. */
    private static PendingIntent checked(Intent intent, int flags) {
        if ((flags & FLAG_IMMUTABLE) == 0) {
            throw new IllegalArgumentException("FLAG_IMMUTABLE or FLAG_MUTABLE is needed");
        }
        if ((flags & FLAG_NO_CREATE) != 0) {
            return KNOWN.get(intent.action);
        }
        PendingIntent made = new PendingIntent(intent);
        KNOWN.put(intent.action, made);
        return made;
    }
}
