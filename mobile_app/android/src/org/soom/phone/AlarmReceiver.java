package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** AlarmManager calls this when an alarm is due. Python need not run. */
public final class AlarmReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        Alarms.ring(context, intent.getStringExtra("id"));
    }
}
