package android.app;

public class NotificationManager {
    public static final int IMPORTANCE_HIGH = 4;
    public boolean areNotificationsEnabled() { return false; }
    public void createNotificationChannel(NotificationChannel channel) {}
    public void notify(String tag, int id, Notification notification) {}
}
