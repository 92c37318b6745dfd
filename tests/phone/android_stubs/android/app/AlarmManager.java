package android.app;

public class AlarmManager {
    public static final int RTC_WAKEUP = 0;
    public boolean canScheduleExactAlarms() { return false; }
    public void setExactAndAllowWhileIdle(int type, long atMillis, PendingIntent intent) {}
    public void setAndAllowWhileIdle(int type, long atMillis, PendingIntent intent) {}
    public void cancel(PendingIntent intent) {}
}
