package org.soom.phone;

import android.app.AlarmManager;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;
import android.content.SharedPreferences;
import android.os.Build;
import android.os.SystemClock;
import java.util.Map;

/** Alarms that outlive Python: each is kept until it was shown, cancelled or missed, and every end is noted. */
public final class Alarms {
    private static final String KEPT = "org.soom.phone.alarms";
    private static final String SHOWN = "org.soom.phone.shown";
    private static final long EARLY_MILLIS = 60_000L;
    private static final long SNOOZE_MILLIS = 15 * 60_000L;
    private static final long SHOWN_FOR_MILLIS = 24 * 3_600_000L;

    private Alarms() {}

    /**
     * Keeps and arms an alarm; one with the same id is replaced. {@code due} is a local time like 2026-03-02T08:00;
     * {@code buttons} and {@code reasons} are "code|label" each. Returns whether it will be exact; false means that
     * Android may be late by minutes. A fortnight of alarms is armed at once, so {@link #write} is to follow.
     */
    public static boolean arm(
            Context context,
            String id,
            String due,
            int windowMinutes,
            String channel,
            String title,
            String text,
            String[] buttons,
            String[] reasons,
            String why,
            boolean openOnLockScreen) {
        Alarm alarm = new Alarm(
                id, due, windowMinutes, channel, title, text, buttons, reasons, why, openOnLockScreen, 0, 0L);
        kept(context, KEPT).edit().putString(alarm.id, alarm.packed()).apply();
        return armKept(context, alarm);
    }

    /** Everything armed so far is on disk when this returns. */
    public static void write(Context context) {
        kept(context, KEPT).edit().commit();
    }

    /** Forgets an alarm; no error if there is none. */
    public static void cancel(Context context, String id) {
        forget(context, KEPT, id);
        forget(context, SHOWN, id);
        manager(context).cancel(intent(context, id, PendingIntent.FLAG_UPDATE_CURRENT));
    }

    /** The ids of the alarms that wait. */
    public static String[] waiting(Context context) {
        return kept(context, KEPT).getAll().keySet().toArray(new String[0]);
    }

    /** When the system was started, by its present clock. */
    public static long bootedAtMillis() {
        return System.currentTimeMillis() - SystemClock.elapsedRealtime();
    }

    /**
     * Soom starts: every kept alarm is armed again, since a forced stop makes Android forget them all. One whose window
     * is over is noted as missed: off, when Android itself was started later; stopped, when Android no longer knows it.
     */
    public static void rearm(Context context) {
        rearm(context, null);
    }

    /**
     * The same after a boot ("off"), a change of clock or zone ("clock", "zone") or anything that ended Soom
     * ("stopped"). One that is late within its window is shown at once.
     */
    static void rearm(Context context, String cause) {
        long now = System.currentTimeMillis();
        for (Map.Entry<String, ?> one : kept(context, KEPT).getAll().entrySet()) {
            Alarm alarm = Alarm.unpacked(one.getKey(), String.valueOf(one.getValue()));
            if (alarm.endsAtMillis() < now) {
                end(context, alarm, "missed_" + (cause != null ? cause : causeFoundAtStart(context, alarm)), now);
            } else {
                armKept(context, alarm);
            }
        }
        for (Map.Entry<String, ?> one : kept(context, SHOWN).getAll().entrySet()) {
            Alarm alarm = Alarm.unpacked(one.getKey(), String.valueOf(one.getValue()));
            if (alarm.ringsAtMillis() + SHOWN_FOR_MILLIS < now) {
                forget(context, SHOWN, alarm.id);
            }
        }
    }

    private static String causeFoundAtStart(Context context, Alarm alarm) {
        if (bootedAtMillis() > alarm.endsAtMillis()) {
            return "off";
        }
        boolean known = intent(context, alarm.id, PendingIntent.FLAG_NO_CREATE) != null;
        return known ? "late" : "stopped";
    }

    /** The time of an alarm has come. One that was cancelled meanwhile stays silent. */
    static void ring(Context context, String id) {
        Alarm alarm = find(context, KEPT, id);
        if (alarm == null) {
            return;
        }
        long now = System.currentTimeMillis();
        if (alarm.ringsAtMillis() - now > EARLY_MILLIS) {
            // The zone was left a moment ago and the alarm is still armed for the old one.
            armKept(context, alarm);
        } else if (alarm.endsAtMillis() < now) {
            end(context, alarm, "missed_late", now);
        } else if (Notices.remind(context, alarm)) {
            keep(context, SHOWN, alarm);
            end(context, alarm, "shown", now);
        } else {
            end(context, alarm, "not_permitted", now);
        }
    }

    /** A push message for the same occurrence has come: it takes the alarm's place, in the alarm's own words. */
    static boolean pushed(Context context, String id) {
        Alarm alarm = find(context, KEPT, id);
        if (alarm == null || !Notices.remind(context, alarm)) {
            return false;
        }
        keep(context, SHOWN, alarm);
        end(context, alarm, "pushed", System.currentTimeMillis());
        manager(context).cancel(intent(context, id, PendingIntent.FLAG_UPDATE_CURRENT));
        return true;
    }

    /** The person pressed a button of a notification, or swept it away. */
    static void act(Context context, String id, String code) {
        long now = System.currentTimeMillis();
        Alarm alarm = find(context, SHOWN, id);
        if (code.equals("snooze") && alarm != null) {
            Alarm again = alarm.snoozed(now + SNOOZE_MILLIS);
            Ledger.note(context, "snoozed_" + again.snoozedTimes, id, now);
            keep(context, KEPT, again);
            armKept(context, again);
        } else {
            Ledger.note(context, code.equals("skip") ? "skipped" : code, id, now);
        }
        if (code.equals("skip") && alarm != null && Notices.askWhy(context, alarm)) {
            return;
        }
        forget(context, SHOWN, id);
        Notices.withdraw(context, id);
    }

    /** Noted before it is forgotten: killed in between, an alarm comes twice rather than never. */
    private static void end(Context context, Alarm alarm, String event, long atMillis) {
        Ledger.note(context, event, alarm.id, atMillis);
        forget(context, KEPT, alarm.id);
    }

    private static boolean armKept(Context context, Alarm alarm) {
        AlarmManager alarms = manager(context);
        PendingIntent intent = intent(context, alarm.id, PendingIntent.FLAG_UPDATE_CURRENT);
        boolean exact = Build.VERSION.SDK_INT < Build.VERSION_CODES.S || alarms.canScheduleExactAlarms();
        if (exact) {
            alarms.setExactAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, alarm.ringsAtMillis(), intent);
        } else {
            alarms.setAndAllowWhileIdle(AlarmManager.RTC_WAKEUP, alarm.ringsAtMillis(), intent);
        }
        return exact;
    }

    private static void keep(Context context, String where, Alarm alarm) {
        kept(context, where).edit().putString(alarm.id, alarm.packed()).commit();
    }

    private static void forget(Context context, String where, String id) {
        kept(context, where).edit().remove(id).commit();
    }

    private static Alarm find(Context context, String where, String id) {
        String packed = kept(context, where).getString(id, null);
        return packed == null ? null : Alarm.unpacked(id, packed);
    }

    private static SharedPreferences kept(Context context, String where) {
        return context.getSharedPreferences(where, Context.MODE_PRIVATE);
    }

    private static AlarmManager manager(Context context) {
        return (AlarmManager) context.getSystemService(Context.ALARM_SERVICE);
    }

    /** The action tells alarms apart: Android compares neither extras nor, across two ids, the request code. */
    private static PendingIntent intent(Context context, String id, int flag) {
        Intent intent = new Intent(context, AlarmReceiver.class).setAction("org.soom.phone.ALARM." + id);
        intent.putExtra("id", id);
        return PendingIntent.getBroadcast(context, 0, intent, flag | PendingIntent.FLAG_IMMUTABLE);
    }
}
