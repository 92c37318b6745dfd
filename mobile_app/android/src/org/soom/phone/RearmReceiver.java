package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** After a boot, an update, a change of clock or zone, or of the permission for exact alarms: arm them again. */
public final class RearmReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        Alarms.rearm(context);
    }
}
