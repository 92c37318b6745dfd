package android.app;

public class Notification {
    public static final int VISIBILITY_PRIVATE = 0;
    public static final int VISIBILITY_PUBLIC = 1;
    public final java.util.List<Action> actions = new java.util.ArrayList<>();
    public int visibility;
    public PendingIntent swept;
    public String channel;
    public String title;
    public String text;
    public int icon;
    public PendingIntent tap;

    public abstract static class Style {}

    public static class BigTextStyle extends Style {
        public BigTextStyle bigText(CharSequence text) { return this; }
    }

    public static class Action {
        public String label;
        public PendingIntent pressed;

        public static final class Builder {
            private final Action made = new Action();

            public Builder(android.graphics.drawable.Icon icon, CharSequence label, PendingIntent pressed) {
                made.label = String.valueOf(label);
                made.pressed = pressed;
            }
            public Action build() { return made; }
        }
    }

    public static class Builder {
        private final Notification made = new Notification();

        public Builder(android.content.Context context, String channel) { made.channel = channel; }
        public Builder setSmallIcon(int icon) { made.icon = icon; return this; }
        public Builder setContentTitle(CharSequence title) { made.title = String.valueOf(title); return this; }
        public Builder setContentText(CharSequence text) { made.text = String.valueOf(text); return this; }
        public Builder setStyle(Style style) { return this; }
        public Builder setVisibility(int visibility) { made.visibility = visibility; return this; }
        public Builder setDeleteIntent(PendingIntent intent) { made.swept = intent; return this; }
        public Builder addAction(Action action) { made.actions.add(action); return this; }
        public Builder setContentIntent(PendingIntent intent) { made.tap = intent; return this; }
        public Builder setAutoCancel(boolean cancel) { return this; }
        public Notification build() { return made; }
    }
}
