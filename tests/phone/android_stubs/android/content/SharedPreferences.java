package android.content;

import java.util.Map;

public interface SharedPreferences {
    Map<String, ?> getAll();
    String getString(String name, String otherwise);
    Editor edit();

    interface Editor {
        Editor putString(String name, String value);
        Editor putLong(String name, long value);
        Editor remove(String name);
        void apply();
    }
}
