package android.app;

import java.util.Map;
import java.util.TreeMap;

public class AlarmManager {
    public static final int RTC_WAKEUP = 0;
    public final Map<String, PendingIntent> armed = new TreeMap<>();
    public final Map<String, Long> dueAtMillis = new TreeMap<>();
    public boolean exactAllowed = true;

    public boolean canScheduleExactAlarms() { return exactAllowed; }
    public void setExactAndAllowWhileIdle(int type, long atMillis, PendingIntent intent) {
        if (!exactAllowed) {
            throw new SecurityException("SCHEDULE_EXACT_ALARM is not granted");
        }
        setAndAllowWhileIdle(type, atMillis, intent);
    }
    public void setAndAllowWhileIdle(int type, long atMillis, PendingIntent intent) {
        armed.put(intent.intent.action, intent);
        dueAtMillis.put(intent.intent.action, atMillis);
    }
    public void cancel(PendingIntent intent) {
        armed.remove(intent.intent.action);
        dueAtMillis.remove(intent.intent.action);
    }

    /** A reboot or a forced stop. */
    public void forgetAll() {
        armed.clear();
        dueAtMillis.clear();
        PendingIntent.KNOWN.clear();
    }
}
