package org.soom.phone;

import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.Base64;

/**
 * One alarm. It is due at a time on the wall, not at an instant, so that 08:00 stays 08:00 after a flight or a change to
 * summer time: a time that a change of clock skips moves on by the gap, one that comes twice is the first of the two.
 */
final class Alarm {
    final String id;
    final LocalDateTime due;
    final int windowMinutes;
    final String channel;
    final String title;
    final String text;

    Alarm(String id, String due, int windowMinutes, String channel, String title, String text) {
        this.id = id;
        this.due = LocalDateTime.parse(due);
        this.windowMinutes = windowMinutes;
        this.channel = channel;
        this.title = title;
        this.text = text;
    }

    long dueAtMillis() {
        return due.atZone(ZoneId.systemDefault()).toInstant().toEpochMilli();
    }

    /** After this it is too late to be of use. */
    long endsAtMillis() {
        return dueAtMillis() + windowMinutes * 60_000L;
    }

    /** As SharedPreferences keeps it; words are packed so that none of theirs can look like a separator. */
    String packed() {
        return due + ";" + windowMinutes + ";" + channel + ";" + pack(title) + ";" + pack(text);
    }

    static Alarm unpacked(String id, String packed) {
        String[] parts = packed.split(";", -1);
        return new Alarm(id, parts[0], Integer.parseInt(parts[1]), parts[2], unpack(parts[3]), unpack(parts[4]));
    }

    private static String pack(String words) {
        return Base64.getEncoder().encodeToString(words.getBytes(StandardCharsets.UTF_8));
    }

    private static String unpack(String packed) {
        return new String(Base64.getDecoder().decode(packed), StandardCharsets.UTF_8);
    }
}
