package android.app;

import java.util.Map;
import java.util.TreeMap;

public class NotificationManager {
    public static final int IMPORTANCE_NONE = 0;
    public static final int IMPORTANCE_DEFAULT = 3;
    public static final int IMPORTANCE_HIGH = 4;
    public final Map<String, Notification> shown = new TreeMap<>();
    public final Map<String, NotificationChannel> channels = new TreeMap<>();
    public boolean allowed = true;

    public boolean areNotificationsEnabled() { return allowed; }
    /** Android keeps how loud a channel is, whatever is asked for a second time. */
    public void createNotificationChannel(NotificationChannel channel) {
        NotificationChannel known = channels.get(channel.id);
        if (known != null) {
            channel.importance = known.importance;
        }
        channels.put(channel.id, channel);
    }
    public NotificationChannel getNotificationChannel(String id) { return channels.get(id); }
    public void notify(String tag, int id, Notification notification) { shown.put(tag, notification); }
    public void cancel(String tag, int id) { shown.remove(tag); }
}
