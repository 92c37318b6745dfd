package org.soom.phone;

import android.app.AlarmManager;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;
import android.content.SharedPreferences;
import android.os.Build;
import java.util.Map;

/**
 * Alarms that outlive Python. Each is kept in SharedPreferences as "due|title|text", so that a reboot, an update or a
 * change of the clock can arm it again; shown and missed ones leave a line in the ledger that Python reads.
 */
public final class Alarms {
    static final String KEPT = "org.soom.phone.alarms";
    static final String LEDGER = "org.soom.phone.ledger";

    private Alarms() {}

    /** Keeps and arms an alarm. Returns whether it will be exact; false means that Android may be late by minutes. */
    public static boolean arm(Context context, String id, long dueAtMillis, String title, String text) {
        kept(context).edit().putString(id, dueAtMillis + "|" + title + "|" + text).apply();
        return armKept(context, id, dueAtMillis, title, text);
    }

    /** Forgets an alarm. */
    public static void cancel(Context context, String id) {
        kept(context).edit().remove(id).apply();
        manager(context).cancel(intent(context, id, "", ""));
    }

    /** Arms every kept alarm again; those whose time passed while the phone slept are noted as missed. */
    static void rearm(Context context, long nowMillis) {
        for (Map.Entry<String, ?> one : kept(context).getAll().entrySet()) {
            String[] parts = String.valueOf(one.getValue()).split("\\|", 3);
            long dueAtMillis = Long.parseLong(parts[0]);
            if (dueAtMillis < nowMillis) {
                note(context, one.getKey(), "missed", nowMillis);
                kept(context).edit().remove(one.getKey()).apply();
            } else {
                armKept(context, one.getKey(), dueAtMillis, parts[1], parts[2]);
            }
        }
    }

    /** Notes what happened to an alarm, for the ledger due, shown, missed. */
    static void note(Context context, String id, String event, long atMillis) {
        SharedPreferences ledger = context.getSharedPreferences(LEDGER, Context.MODE_PRIVATE);
        ledger.edit().putLong(id + "|" + event, atMillis).apply();
    }

    static SharedPreferences kept(Context context) {
        return context.getSharedPreferences(KEPT, Context.MODE_PRIVATE);
    }

    private static boolean armKept(Context context, String id, long dueAtMillis, String title, String text) {
        AlarmManager alarms = manager(context);
        PendingIntent intent = intent(context, id, title, text);
        boolean exact = Build.VERSION.SDK_INT < Build.VERSION_CODES.S || alarms.canScheduleExactAlarms();
        if (exact) {
            alarms.setExactAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, dueAtMillis, intent);
        } else {
            alarms.setAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, dueAtMillis, intent);
        }
        return exact;
    }

    private static AlarmManager manager(Context context) {
        return (AlarmManager) context.getSystemService(Context.ALARM_SERVICE);
    }

    private static PendingIntent intent(Context context, String id, String title, String text) {
        Intent intent = new Intent(context, AlarmReceiver.class).setAction("org.soom.phone.ALARM." + id);
        intent.putExtra("id", id).putExtra("title", title).putExtra("text", text);
        return PendingIntent.getBroadcast(
                context, id.hashCode(), intent, PendingIntent.FLAG_UPDATE_CURRENT | PendingIntent.FLAG_IMMUTABLE);
    }
}
