package android.content;

import java.util.HashMap;
import java.util.Map;

public class Intent {
    public final Map<String, String> extras = new HashMap<>();
    public String action = "";

    public Intent() {}
    public Intent(Context context, Class<?> target) {}
    public Intent setAction(String named) { action = named; return this; }
    public Intent putExtra(String name, String value) { extras.put(name, value); return this; }
    public String getStringExtra(String name) { return extras.get(name); }
}
