package android.os;

public final class SystemClock {
    /** When the phone in memory was switched on. */
    public static long bootedAtMillis = System.currentTimeMillis() - 30L * 24 * 3_600_000L;

    private SystemClock() {}
    public static long elapsedRealtime() { return System.currentTimeMillis() - bootedAtMillis; }
}
