package android.content;

import java.util.HashMap;
import java.util.Map;

public class Intent {
    public static final String ACTION_BOOT_COMPLETED = "android.intent.action.BOOT_COMPLETED";
    public static final String ACTION_TIMEZONE_CHANGED = "android.intent.action.TIMEZONE_CHANGED";
    public static final String ACTION_TIME_CHANGED = "android.intent.action.TIME_SET";
    public final Map<String, String> extras = new HashMap<>();
    public String action = "";

    public Intent() {}
    public Intent(Context context, Class<?> target) {}
    public String getAction() { return action; }
    public Intent setAction(String named) { action = named; return this; }
    public Intent putExtra(String name, String value) { extras.put(name, value); return this; }
    public String getStringExtra(String name) { return extras.get(name); }
}
