package android.app;

public class Notification {
    public static final int VISIBILITY_PRIVATE = 0;
    public String channel;
    public String title;
    public String text;
    public int icon;
    public PendingIntent tap;

    public abstract static class Style {}

    public static class BigTextStyle extends Style {
        public BigTextStyle bigText(CharSequence text) { return this; }
    }

    public static class Builder {
        private final Notification made = new Notification();

        public Builder(android.content.Context context, String channel) { made.channel = channel; }
        public Builder setSmallIcon(int icon) { made.icon = icon; return this; }
        public Builder setContentTitle(CharSequence title) { made.title = String.valueOf(title); return this; }
        public Builder setContentText(CharSequence text) { made.text = String.valueOf(text); return this; }
        public Builder setStyle(Style style) { return this; }
        public Builder setVisibility(int visibility) { return this; }
        public Builder setContentIntent(PendingIntent intent) { made.tap = intent; return this; }
        public Builder setAutoCancel(boolean cancel) { return this; }
        public Notification build() { return made; }
    }
}
