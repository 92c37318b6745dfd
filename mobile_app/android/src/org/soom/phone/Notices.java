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

    /** Shows a notification. Returns false when the person does not allow any, or not on this channel. */
    static boolean show(Context context, String channel, String tag, String title, String text, String messageId) {
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
        Notification notification = new Notification.Builder(context, channel)
                .setSmallIcon(icon(context))
                .setContentTitle(title)
                .setContentText(text)
                .setStyle(new Notification.BigTextStyle().bigText(text))
                .setVisibility(Notification.VISIBILITY_PRIVATE)
                .setContentIntent(tap(context, tag, messageId))
                .setAutoCancel(true)
                .build();
        notices.notify(tag, 0, notification);
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
