package org.soom.phone;

import android.content.Context;
import android.content.SharedPreferences;

/** What happened while Python was not there to see it, as "millis|event|id", until Python has written it down. */
public final class Ledger {
    private static final String KEPT = "org.soom.phone.ledger";

    private Ledger() {}

    /** Everything noted and not yet settled, in no order. */
    public static String[] notes(Context context) {
        return kept(context).getAll().keySet().toArray(new String[0]);
    }

    /** Python has written these down; what was noted meanwhile stays. */
    public static void settle(Context context, String[] notes) {
        SharedPreferences.Editor editor = kept(context).edit();
        for (String note : notes) {
            editor.remove(note);
        }
        editor.commit();
    }

    static void note(Context context, String event, String id, long atMillis) {
        kept(context).edit().putBoolean(atMillis + "|" + event + "|" + id, true).commit();
    }

    private static SharedPreferences kept(Context context) {
        return context.getSharedPreferences(KEPT, Context.MODE_PRIVATE);
    }
}
