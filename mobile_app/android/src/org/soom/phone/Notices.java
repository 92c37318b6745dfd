package org.soom.phone;

import android.app.Notification;
import android.app.NotificationChannel;
import android.app.NotificationManager;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;

/** Draws notifications; the tag is the alarm's or alert's id, so that a repeat replaces the first. */
final class Notices {
    private static final String CHANNEL = "soom";

    private Notices() {}

    /** Shows a notification. Returns false when the person does not allow any. */
    static boolean show(Context context, String tag, String title, String text) {
        NotificationManager notices =
                (NotificationManager) context.getSystemService(Context.NOTIFICATION_SERVICE);
        if (!notices.areNotificationsEnabled()) {
            return false;
        }
        notices.createNotificationChannel(
                new NotificationChannel(CHANNEL, "Soom", NotificationManager.IMPORTANCE_HIGH));
        Intent open = context.getPackageManager().getLaunchIntentForPackage(context.getPackageName());
        PendingIntent tap = PendingIntent.getActivity(
                context, 0, open, PendingIntent.FLAG_UPDATE_CURRENT | PendingIntent.FLAG_IMMUTABLE);
        Notification notification = new Notification.Builder(context, CHANNEL)
                .setSmallIcon(context.getApplicationInfo().icon)
                .setContentTitle(title)
                .setContentText(text)
                .setContentIntent(tap)
                .setAutoCancel(true)
                .build();
        notices.notify(tag, 1, notification);
        return true;
    }
}
