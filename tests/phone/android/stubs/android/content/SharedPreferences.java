package android.content;

import java.util.HashMap;
import java.util.Map;

/** Kept in memory; what is neither applied nor committed is lost. */
public class SharedPreferences {
    private final Map<String, Object> kept = new HashMap<>();

    public Map<String, ?> getAll() { return new HashMap<>(kept); }
    public String getString(String name, String otherwise) {
        Object found = kept.get(name);
        return found == null ? otherwise : (String) found;
    }
    public Editor edit() { return new Editor(); }

    public class Editor {
        private final Map<String, Object> fresh = new HashMap<>(kept);

        public Editor putString(String name, String value) { fresh.put(name, value); return this; }
        public Editor putBoolean(String name, boolean value) { fresh.put(name, value); return this; }
        public Editor remove(String name) { fresh.remove(name); return this; }
        public void apply() { commit(); }
        public boolean commit() {
            kept.clear();
            kept.putAll(fresh);
            return true;
        }
    }
}
