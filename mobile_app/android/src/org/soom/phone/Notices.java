package org.soom.phone;

import android.app.Notification;
import android.app.NotificationChannel;
import android.app.NotificationManager;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;

/** Draws notifications; a second one with the same tag replaces the first. */
public final class Notices {
    private static final String ICON = "ic_notice";

    private Notices() {}

    /** Makes a channel, or gives it the name of another language; how loud it is, is then the person's to change. */
    public static void channel(Context context, String id, String name, boolean loud) {
        int importance = loud ? NotificationManager.IMPORTANCE_HIGH : NotificationManager.IMPORTANCE_DEFAULT;
        manager(context).createNotificationChannel(new NotificationChannel(id, name, importance));
    }

    /** Takes a notification away, for instance when the dose is logged. */
    public static void withdraw(Context context, String tag) {
        manager(context).cancel(tag, 0);
    }

    /** Shows an alarm with its buttons. */
    static boolean remind(Context context, Alarm alarm) {
        Notification.Builder drawn = builder(context, alarm, alarm.title, alarm.text);
        for (String button : alarm.buttons) {
            if (!button.startsWith("snooze|") || alarm.snoozedTimes < Alarm.SNOOZES_AT_MOST) {
                drawn.addAction(action(context, alarm.id, code(button), label(button)));
            }
        }
        return post(context, alarm.channel, alarm.id, drawn);
    }

    /** In place of the alarm: why was it skipped? False when there is nothing to choose from. */
    static boolean askWhy(Context context, Alarm alarm) {
        if (alarm.reasons.length == 0) {
            return false;
        }
        Notification.Builder drawn = builder(context, alarm, alarm.why, "");
        for (String reason : alarm.reasons) {
            drawn.addAction(action(context, alarm.id, "skipped_" + code(reason), label(reason)));
        }
        return post(context, alarm.channel, alarm.id, drawn);
    }

    private static Notification.Builder builder(Context context, Alarm alarm, String title, String text) {
        return new Notification.Builder(context, alarm.channel)
                .setSmallIcon(icon(context))
                .setContentTitle(title)
                .setContentText(text)
                .setVisibility(
                        alarm.openOnLockScreen ? Notification.VISIBILITY_PUBLIC : Notification.VISIBILITY_PRIVATE)
                .setContentIntent(tap(context, alarm.id, null))
                .setDeleteIntent(pressed(context, alarm.id, "dismissed"))
                .setAutoCancel(true);
    }

    private static Notification.Action action(Context context, String id, String code, String label) {
        return new Notification.Action.Builder(null, label, pressed(context, id, code)).build();
    }

    private static PendingIntent pressed(Context context, String id, String code) {
        Intent intent = new Intent(context, ActionReceiver.class).setAction("org.soom.phone.ACT." + code + "." + id);
        intent.putExtra("id", id);
        intent.putExtra("code", code);
        return PendingIntent.getBroadcast(
                context, 0, intent, PendingIntent.FLAG_UPDATE_CURRENT | PendingIntent.FLAG_IMMUTABLE);
    }

    private static String code(String button) {
        return button.substring(0, button.indexOf('|'));
    }

    private static String label(String button) {
        return button.substring(button.indexOf('|') + 1);
    }

    /** Shows a notification. Returns false when the person does not allow any, or not on this channel. */
    static boolean show(Context context, String channel, String tag, String title, String text, String messageId) {
        Notification.Builder drawn = new Notification.Builder(context, channel)
                .setSmallIcon(icon(context))
                .setContentTitle(title)
                .setContentText(text)
                .setStyle(new Notification.BigTextStyle().bigText(text))
                .setVisibility(Notification.VISIBILITY_PRIVATE)
                .setContentIntent(tap(context, tag, messageId))
                .setAutoCancel(true);
        return post(context, channel, tag, drawn);
    }

    private static boolean post(Context context, String channel, String tag, Notification.Builder drawn) {
        NotificationManager notices = manager(context);
        if (notices.getNotificationChannel(channel) == null) {
            // A message on a channel that this version of the app does not know must still be heard.
            channel(context, channel, "Soom", true);
        }
        boolean muted =
                notices.getNotificationChannel(channel).getImportance() == NotificationManager.IMPORTANCE_NONE;
        if (muted || !notices.areNotificationsEnabled()) {
            return false;
        }
        notices.notify(tag, 0, drawn.build());
        return true;
    }

    /** Opens the app and tells it what was tapped. */
    private static PendingIntent tap(Context context, String tag, String messageId) {
        Intent open = context.getPackageManager().getLaunchIntentForPackage(context.getPackageName());
        open.putExtra("soom_tag", tag);
        if (messageId != null) {
            open.putExtra("message_id", messageId);
        }
        return PendingIntent.getActivity(
                context,
                tag.hashCode(),
                open,
                PendingIntent.FLAG_UPDATE_CURRENT | PendingIntent.FLAG_IMMUTABLE);
    }

    private static int icon(Context context) {
        int drawn = context.getResources().getIdentifier(ICON, "drawable", context.getPackageName());
        return drawn != 0 ? drawn : context.getApplicationInfo().icon;
    }

    private static NotificationManager manager(Context context) {
        return (NotificationManager) context.getSystemService(Context.NOTIFICATION_SERVICE);
    }
}
