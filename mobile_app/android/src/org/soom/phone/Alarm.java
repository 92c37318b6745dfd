package org.soom.phone;

import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.zone.ZoneOffsetTransition;
import java.util.Base64;

/**
 * One alarm. It is due at a time on the wall, not at an instant, so that 08:00 stays 08:00 after a flight or a change to
 * summer time: a time that a change of clock skips is the first instant after the gap, one that comes twice is the first.
 */
final class Alarm {
    static final int SNOOZES_AT_MOST = 3;
    private static final int PARTS = 11;

    final String id;
    final LocalDateTime due;
    final int windowMinutes;
    final String channel;
    final String title;
    final String text;
    /** "code|label" each. */
    final String[] buttons;
    final String[] reasons;
    final String why;
    final boolean openOnLockScreen;
    final int snoozedTimes;
    /** When a snoozed alarm comes back; 0 for one that was not snoozed. */
    final long againAtMillis;

    Alarm(
            String id,
            String due,
            int windowMinutes,
            String channel,
            String title,
            String text,
            String[] buttons,
            String[] reasons,
            String why,
            boolean openOnLockScreen,
            int snoozedTimes,
            long againAtMillis) {
        this.id = id;
        this.due = LocalDateTime.parse(due);
        this.windowMinutes = windowMinutes;
        this.channel = channel;
        this.title = title;
        this.text = text;
        this.buttons = buttons;
        this.reasons = reasons;
        this.why = why;
        this.openOnLockScreen = openOnLockScreen;
        this.snoozedTimes = snoozedTimes;
        this.againAtMillis = againAtMillis;
    }

    Alarm snoozed(long againAtMillis) {
        return new Alarm(id, due.toString(), windowMinutes, channel, title, text, buttons, reasons, why,
                openOnLockScreen, Math.min(snoozedTimes + 1, SNOOZES_AT_MOST), againAtMillis);
    }

    long ringsAtMillis() {
        if (againAtMillis > 0) {
            return againAtMillis;
        }
        ZoneId zone = ZoneId.systemDefault();
        ZoneOffsetTransition change = zone.getRules().getTransition(due);
        if (change != null && change.isGap()) {
            return change.getInstant().toEpochMilli();
        }
        return due.atZone(zone).toInstant().toEpochMilli();
    }

    /** After this it is too late to be of use. */
    long endsAtMillis() {
        return ringsAtMillis() + windowMinutes * 60_000L;
    }

    /** As SharedPreferences keeps it; words are packed so that none of theirs can look like a separator. */
    String packed() {
        return due + ";" + windowMinutes + ";" + channel + ";" + pack(title) + ";" + pack(text) + ";" + packAll(buttons)
                + ";" + packAll(reasons) + ";" + pack(why) + ";" + openOnLockScreen + ";" + snoozedTimes + ";"
                + againAtMillis;
    }

    /** Reads also what a Soom before buttons kept. */
    static Alarm unpacked(String id, String packed) {
        String[] parts = packed.split(";", -1);
        boolean hasButtons = parts.length == PARTS;
        return new Alarm(
                id,
                parts[0],
                Integer.parseInt(parts[1]),
                parts[2],
                unpack(parts[3]),
                unpack(parts[4]),
                hasButtons ? unpackAll(parts[5]) : new String[0],
                hasButtons ? unpackAll(parts[6]) : new String[0],
                hasButtons ? unpack(parts[7]) : "",
                hasButtons && Boolean.parseBoolean(parts[8]),
                hasButtons ? Integer.parseInt(parts[9]) : 0,
                hasButtons ? Long.parseLong(parts[10]) : 0L);
    }

    private static String packAll(String[] words) {
        StringBuilder all = new StringBuilder();
        for (String one : words) {
            all.append(all.length() > 0 ? "," : "").append(pack(one));
        }
        return all.toString();
    }

    private static String[] unpackAll(String packed) {
        if (packed.isEmpty()) {
            return new String[0];
        }
        String[] words = packed.split(",", -1);
        for (int at = 0; at < words.length; at++) {
            words[at] = unpack(words[at]);
        }
        return words;
    }

    private static String pack(String words) {
        return Base64.getEncoder().encodeToString(words.getBytes(StandardCharsets.UTF_8));
    }

    private static String unpack(String packed) {
        return new String(Base64.getDecoder().decode(packed), StandardCharsets.UTF_8);
    }
}
