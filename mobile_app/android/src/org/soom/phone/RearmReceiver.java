package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** After a boot, an update or a change of clock or zone, Android has forgotten the alarms: arm them again. */
public final class RearmReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        Alarms.rearm(context, System.currentTimeMillis());
    }
}
