package org.soom.phone;

import android.content.BroadcastReceiver;
import android.content.Context;
import android.content.Intent;

/** A button of a notification, or its being swept away. Python need not run. */
public final class ActionReceiver extends BroadcastReceiver {
    @Override
    public void onReceive(Context context, Intent intent) {
        Alarms.act(context, intent.getStringExtra("id"), intent.getStringExtra("code"));
    }
}
