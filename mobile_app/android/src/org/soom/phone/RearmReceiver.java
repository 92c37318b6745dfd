package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** After a boot, an update, a change of clock or zone, or of the permission for exact alarms: arm them again. */
public final class RearmReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        Alarms.rearm(context, cause(String.valueOf(intent.getAction())));
    }

    private static String cause(String action) {
        switch (action) {
            case Intent.ACTION_BOOT_COMPLETED:
                return "off";
            case Intent.ACTION_TIMEZONE_CHANGED:
                return "zone";
            case Intent.ACTION_TIME_CHANGED:
                return "clock";
            default:
                // An update and the loss of the permission end Soom and its alarms.
                return "stopped";
        }
    }
}
