import android.app.Notification;
import android.app.PendingIntent;
import android.content.Context;
import android.content.Intent;
import android.hardware.biometrics.BiometricPrompt;
import android.os.SystemClock;
import com.google.firebase.messaging.RemoteMessage;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Map;
import java.util.TimeZone;
import org.soom.phone.ActionReceiver;
import org.soom.phone.AlarmReceiver;
import org.soom.phone.Alarms;
import org.soom.phone.Ledger;
import org.soom.phone.Notices;
import org.soom.phone.Owner;
import org.soom.phone.PushService;
import org.soom.phone.RearmReceiver;

/** Does on a phone in memory what the arguments say, one word each, and prints what a person and Python would see. */
public final class Walk {
    private static final Context PHONE = new Context();

    private Walk() {}

    public static void main(String[] steps) {
        for (String step : steps) {
            int at = step.indexOf(':');
            String verb = at < 0 ? step : step.substring(0, at);
            take(verb, at < 0 ? "" : step.substring(at + 1));
        }
    }

    private static void take(String verb, String what) {
        switch (verb) {
            case "zone":
                TimeZone.setDefault(TimeZone.getTimeZone(what));
                break;
            case "arm":
                arm(what);
                break;
            case "press":
                press(what);
                break;
            case "cancel":
                Alarms.cancel(PHONE, what);
                break;
            case "reboot":
                Context.ALARMS.forgetAll();
                SystemClock.bootedAtMillis = System.currentTimeMillis();
                break;
            case "stop":
                Context.ALARMS.forgetAll();
                Context.NOTICES.shown.clear();
                break;
            case "start":
                Alarms.rearm(PHONE);
                break;
            case "heard":
                new RearmReceiver().onReceive(PHONE, new Intent().setAction("android.intent.action." + what));
                break;
            case "ring":
                ring(what);
                break;
            case "deny":
                deny(what);
                break;
            case "push":
                push(what);
                break;
            case "token":
                new PushService().onNewToken(what);
                System.out.println("token " + PushService.token(PHONE));
                break;
            case "owner":
                Owner.ask(PHONE, "title", "PIN", isOwner -> System.out.println("owner " + isOwner));
                if (what.equals("fits")) {
                    BiometricPrompt.open.onAuthenticationSucceeded(new BiometricPrompt.AuthenticationResult());
                } else {
                    BiometricPrompt.open.onAuthenticationError(10, "cancelled");
                }
                break;
            case "withdraw":
                Notices.withdraw(PHONE, what);
                break;
            case "settle":
                Ledger.settle(PHONE, Ledger.notes(PHONE));
                break;
            case "see":
                see();
                break;
            default:
                throw new IllegalArgumentException(verb);
        }
    }

    /** id, minutes from now or a local time, window in minutes, title, and "open" for words on the lock screen */
    private static void arm(String what) {
        boolean open = what.endsWith(",open");
        String[] parts = (open ? what.substring(0, what.length() - 5) : what).split(",", 4);
        String[] buttons = {"taken|Done", "snooze|In 15 minutes", "skip|Skip"};
        String[] reasons = open ? new String[] {"ran_out|Ran out"} : new String[0];
        System.out.println("exact " + Alarms.arm(PHONE, parts[0], due(parts[1]), Integer.parseInt(parts[2]),
                "reminders", parts[3], "text", buttons, reasons, "Why?", open));
    }

    /** tag, label: what Android does when a button is pressed, or "" for sweeping the notification away */
    private static void press(String what) {
        String[] parts = what.split(",", 2);
        Notification shown = Context.NOTICES.shown.get(parts[0]);
        PendingIntent pressed = shown.swept;
        for (Notification.Action action : shown.actions) {
            if (action.label.equals(parts[1])) {
                pressed = action.pressed;
            }
        }
        new ActionReceiver().onReceive(PHONE, pressed.intent);
    }

    private static String due(String when) {
        return when.contains("T") ? when : LocalDateTime.now().plusMinutes(Integer.parseInt(when)).toString();
    }

    /** What Android does when the time has come, whether or not the alarm was cancelled a moment ago. */
    private static void ring(String id) {
        PendingIntent armed = Context.ALARMS.armed.remove("org.soom.phone.ALARM." + id);
        new AlarmReceiver().onReceive(PHONE, armed != null ? armed.intent : new Intent().putExtra("id", id));
    }

    private static void deny(String what) {
        if (what.equals("exact")) {
            Context.ALARMS.exactAllowed = false;
        } else if (what.equals("notifications")) {
            Context.NOTICES.allowed = false;
        } else {
            Notices.channel(PHONE, what, what, true);
            Context.NOTICES.channels.get(what).importance = 0;
        }
    }

    /** message id, and after a comma the key of an occurrence of 2 March 2026 */
    private static void push(String what) {
        String[] parts = what.split(",", 2);
        String messageId = parts[0];
        RemoteMessage message = new RemoteMessage();
        if (parts.length == 2) {
            message.data.put("occurrence_key", parts[1]);
            message.data.put("occurrence_date", "2026-03-02");
        }
        message.data.put("message_id", messageId);
        message.data.put("tag", "alert-1");
        message.data.put("channel", "urgent");
        message.data.put("title", "Title");
        message.data.put("body", "Body");
        new PushService().onMessageReceived(message);
    }

    private static void see() {
        for (Map.Entry<String, Long> armed : Context.ALARMS.dueAtMillis.entrySet()) {
            if (Context.ALARMS.armed.containsKey(armed.getKey())) {
                Instant due = Instant.ofEpochMilli(armed.getValue());
                System.out.println("armed " + armed.getKey() + " " + due.atZone(ZoneId.of("UTC")).toLocalDateTime());
            }
        }
        for (Map.Entry<String, Notification> shown : Context.NOTICES.shown.entrySet()) {
            Notification one = shown.getValue();
            System.out.println("shown " + shown.getKey() + " on " + one.channel + " icon " + one.icon + ": "
                    + one.title + " tap " + one.tap.intent.getStringExtra("message_id"));
            for (Notification.Action action : one.actions) {
                System.out.println("button " + action.label);
            }
            if (one.visibility == Notification.VISIBILITY_PUBLIC) {
                System.out.println("open on the lock screen");
            }
        }
        for (String waiting : Alarms.waiting(PHONE)) {
            System.out.println("waiting " + waiting);
        }
        for (String note : Ledger.notes(PHONE)) {
            System.out.println("noted " + note.split("\\|", 2)[1]);
        }
    }
}
