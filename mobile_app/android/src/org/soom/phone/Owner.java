package org.soom.phone;

import android.content.Context;
import android.hardware.biometrics.BiometricManager;
import android.hardware.biometrics.BiometricPrompt;
import android.os.Build;
import android.os.CancellationSignal;
import java.util.concurrent.Executor;

/** Asks the phone whether its owner holds it: fingerprint or face. Soom's own PIN stays the other way in. */
public final class Owner {
    /** How Python hears the answer, on the main thread. */
    public interface Answer {
        void given(boolean isOwner);
    }

    private Owner() {}

    /** Whether the phone can be asked: Android 11 or newer with an enrolled finger or face. */
    public static boolean canBeAsked(Context context) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) {
            return false;
        }
        BiometricManager manager = (BiometricManager) context.getSystemService(Context.BIOMETRIC_SERVICE);
        return manager.canAuthenticate(BiometricManager.Authenticators.BIOMETRIC_STRONG)
                == BiometricManager.BIOMETRIC_SUCCESS;
    }

    /** Shows the system's own dialogue; the answer comes once. */
    public static void ask(Context context, String title, String otherWay, Answer answer) {
        Executor main = context.getMainExecutor();
        main.execute(() -> new BiometricPrompt.Builder(context)
                .setTitle(title)
                .setAllowedAuthenticators(BiometricManager.Authenticators.BIOMETRIC_STRONG)
                .setNegativeButton(otherWay, main, (dialogue, button) -> answer.given(false))
                .build()
                .authenticate(new CancellationSignal(), main, new Callback(answer)));
    }

    /** A finger that does not fit is no answer: the dialogue lets the person try again. */
    private static final class Callback extends BiometricPrompt.AuthenticationCallback {
        private final Answer answer;

        Callback(Answer answer) {
            this.answer = answer;
        }

        @Override
        public void onAuthenticationSucceeded(BiometricPrompt.AuthenticationResult result) {
            answer.given(true);
        }

        @Override
        public void onAuthenticationError(int code, CharSequence message) {
            answer.given(false);
        }
    }
}
