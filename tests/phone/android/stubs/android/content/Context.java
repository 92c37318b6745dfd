package android.content;

import android.app.AlarmManager;
import android.app.NotificationManager;
import android.content.pm.ApplicationInfo;
import android.content.pm.PackageManager;
import android.content.res.Resources;
import android.hardware.biometrics.BiometricManager;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;

/** One phone: everything that Android would keep is static here, and outlives the app's objects as it does there. */
public class Context {
    public static final String ALARM_SERVICE = "alarm";
    public static final String NOTIFICATION_SERVICE = "notification";
    public static final String BIOMETRIC_SERVICE = "biometric";
    public static final int MODE_PRIVATE = 0;
    public static final AlarmManager ALARMS = new AlarmManager();
    public static final NotificationManager NOTICES = new NotificationManager();
    private static final Map<String, SharedPreferences> FILES = new HashMap<>();

    public Object getSystemService(String name) {
        switch (name) {
            case ALARM_SERVICE:
                return ALARMS;
            case NOTIFICATION_SERVICE:
                return NOTICES;
            default:
                return new BiometricManager();
        }
    }
    public SharedPreferences getSharedPreferences(String name, int mode) {
        return FILES.computeIfAbsent(name, missing -> new SharedPreferences());
    }
    public PackageManager getPackageManager() { return new PackageManager(); }
    public String getPackageName() { return "org.soom.soom"; }
    public ApplicationInfo getApplicationInfo() { return new ApplicationInfo(); }
    public Resources getResources() { return new Resources(); }
    public Executor getMainExecutor() { return Runnable::run; }
}
