package org.soom.phone;

import android.app.AlarmManager;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;
import android.content.SharedPreferences;
import android.os.Build;
import java.util.Map;

/** Alarms that outlive Python: each is kept until it was shown, cancelled or missed, and every end is noted. */
public final class Alarms {
    private static final String KEPT = "org.soom.phone.alarms";
    private static final long EARLY_MILLIS = 60_000L;

    private Alarms() {}

    /**
     * Keeps and arms an alarm; one with the same id is replaced. {@code due} is a local time like 2026-03-02T08:00.
     * Returns whether it will be exact; false means that Android may be late by minutes.
     */
    public static boolean arm(
            Context context, String id, String due, int windowMinutes, String channel, String title, String text) {
        Alarm alarm = new Alarm(id, due, windowMinutes, channel, title, text);
        kept(context).edit().putString(id, alarm.packed()).commit();
        return armKept(context, alarm);
    }

    /** Forgets an alarm; no error if there is none. */
    public static void cancel(Context context, String id) {
        kept(context).edit().remove(id).commit();
        manager(context).cancel(intent(context, id));
    }

    /** The ids of the alarms that wait. */
    public static String[] waiting(Context context) {
        return kept(context).getAll().keySet().toArray(new String[0]);
    }

    /**
     * Arms every kept alarm again: Android forgets them at a reboot, an update and a forced stop, and a change of zone
     * or clock moves them. One that is late within its window is shown at once; others are noted as missed.
     */
    public static void rearm(Context context) {
        long now = System.currentTimeMillis();
        for (Map.Entry<String, ?> one : kept(context).getAll().entrySet()) {
            Alarm alarm = Alarm.unpacked(one.getKey(), String.valueOf(one.getValue()));
            if (alarm.endsAtMillis() < now) {
                end(context, alarm, "missed", now);
            } else {
                armKept(context, alarm);
            }
        }
    }

    /** The time of an alarm has come. One that was cancelled meanwhile stays silent. */
    static void ring(Context context, String id) {
        String packed = kept(context).getString(id, null);
        if (packed == null) {
            return;
        }
        long now = System.currentTimeMillis();
        Alarm alarm = Alarm.unpacked(id, packed);
        if (alarm.dueAtMillis() - now > EARLY_MILLIS) {
            // The zone was left a moment ago and the alarm is still armed for the old one.
            armKept(context, alarm);
        } else if (alarm.endsAtMillis() < now) {
            end(context, alarm, "missed", now);
        } else if (Notices.show(context, alarm.channel, id, alarm.title, alarm.text, null)) {
            end(context, alarm, "shown", now);
        } else {
            end(context, alarm, "not_permitted", now);
        }
    }

    /** Noted before it is forgotten: killed in between, an alarm comes twice rather than never. */
    private static void end(Context context, Alarm alarm, String event, long atMillis) {
        Ledger.note(context, event, alarm.id, atMillis);
        kept(context).edit().remove(alarm.id).commit();
    }

    private static boolean armKept(Context context, Alarm alarm) {
        AlarmManager alarms = manager(context);
        PendingIntent intent = intent(context, alarm.id);
        boolean exact = Build.VERSION.SDK_INT < Build.VERSION_CODES.S || alarms.canScheduleExactAlarms();
        if (exact) {
            alarms.setExactAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, alarm.dueAtMillis(), intent);
        } else {
            alarms.setAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, alarm.dueAtMillis(), intent);
        }
        return exact;
    }

    private static SharedPreferences kept(Context context) {
        return context.getSharedPreferences(KEPT, Context.MODE_PRIVATE);
    }

    private static AlarmManager manager(Context context) {
        return (AlarmManager) context.getSystemService(Context.ALARM_SERVICE);
    }

    /** The action tells alarms apart: Android compares neither extras nor, across two ids, the request code. */
    private static PendingIntent intent(Context context, String id) {
        Intent intent = new Intent(context, AlarmReceiver.class).setAction("org.soom.phone.ALARM." + id);
        intent.putExtra("id", id);
        return PendingIntent.getBroadcast(
                context, 0, intent, PendingIntent.FLAG_UPDATE_CURRENT | PendingIntent.FLAG_IMMUTABLE);
    }
}
