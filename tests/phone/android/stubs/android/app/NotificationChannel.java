package android.app;

public final class NotificationChannel {
    public final String id;
    public final String name;
    public int importance;

    public NotificationChannel(String id, CharSequence name, int importance) {
        this.id = id;
        this.name = String.valueOf(name);
        this.importance = importance;
    }
    public int getImportance() { return importance; }
}
