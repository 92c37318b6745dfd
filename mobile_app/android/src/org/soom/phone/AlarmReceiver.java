package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** Shows the notification of an alarm that is due. Python need not run. */
public final class AlarmReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        String id = intent.getStringExtra("id");
        boolean shown = Notices.show(context, id, intent.getStringExtra("title"), intent.getStringExtra("text"));
        Alarms.note(context, id, shown ? "shown" : "not_permitted", System.currentTimeMillis());
        Alarms.kept(context).edit().remove(id).apply();
    }
}
