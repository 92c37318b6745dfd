package android.hardware.biometrics;

public class BiometricManager {
    public static final int BIOMETRIC_SUCCESS = 0;

    public interface Authenticators {
        int BIOMETRIC_STRONG = 15;
    }

    public int canAuthenticate(int authenticators) { return BIOMETRIC_SUCCESS; }
}
