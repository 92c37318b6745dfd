package android.hardware.biometrics;

import android.content.Context;
import android.content.DialogInterface;
import android.os.CancellationSignal;
import java.util.concurrent.Executor;

public class BiometricPrompt {
    /** The dialogue that is open, for the walk to answer. */
    public static AuthenticationCallback open;

    public static class AuthenticationResult {}

    public abstract static class AuthenticationCallback {
        public void onAuthenticationSucceeded(AuthenticationResult result) {}
        public void onAuthenticationFailed() {}
        public void onAuthenticationError(int code, CharSequence message) {}
    }

    public void authenticate(CancellationSignal cancel, Executor executor, AuthenticationCallback callback) {
        open = callback;
    }

    public static class Builder {
        public Builder(Context context) {}
        public Builder setTitle(CharSequence title) { return this; }
        public Builder setAllowedAuthenticators(int authenticators) { return this; }
        public Builder setNegativeButton(
                CharSequence text, Executor executor, DialogInterface.OnClickListener listener) {
            return this;
        }
        public BiometricPrompt build() { return new BiometricPrompt(); }
    }
}
