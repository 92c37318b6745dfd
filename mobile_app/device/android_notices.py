"""Alarms, notifications and the owner check on Android: the Java beside buildozer.spec does it, with Python dead."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mobile_app.device.android import activity, java_class
from mobile_app.device.ports import Alarm, AlarmNote

_POST_NOTIFICATIONS = "android.permission.POST_NOTIFICATIONS"
# Android asks at run time since 13; before, notifications are allowed from the start.
_ANDROID_13 = 33
# Doses and alerts may make a sound; what the clinic writes may wait.
_LOUD = {"urgent": True, "reminders": True, "messages": False}


class AndroidAlarms:
    """Alarms kept by org.soom.phone.Alarms."""

    def arm(self, *alarms: Alarm) -> bool:
        """Keeps and arms alarms, on disk when this returns. Raises ValueError for a due time that has a zone."""
        exact = [self._arm(alarm) for alarm in alarms]
        java_class("org.soom.phone.Alarms").write(activity())
        return all(exact)

    def _arm(self, alarm: Alarm) -> bool:
        if alarm.due.tzinfo is not None:
            raise ValueError(f"alarm {alarm.id} is due at {alarm.due}; an alarm is due in local time, without a zone")
        due = alarm.due.isoformat(timespec="seconds")
        alarms = java_class("org.soom.phone.Alarms")
        return bool(
            alarms.arm(
                activity(),
                alarm.id,
                due,
                alarm.window_minutes,
                alarm.channel,
                alarm.title,
                alarm.text,
                [f"{code}|{label}" for code, label in alarm.actions],
                [f"{code}|{label}" for code, label in alarm.reasons],
                alarm.why,
                alarm.open_on_lock_screen,
            )
        )

    def cancel(self, alarm_id: str) -> None:
        """Forgets the alarm and its notification."""
        java_class("org.soom.phone.Alarms").cancel(activity(), alarm_id)
        java_class("org.soom.phone.Notices").withdraw(activity(), alarm_id)

    def waiting(self) -> set[str]:
        """Ids of the alarms that are still to come."""
        return {str(one) for one in java_class("org.soom.phone.Alarms").waiting(activity())}

    def rearm(self) -> None:
        """Arms all again and notes those that were missed."""
        java_class("org.soom.phone.Alarms").rearm(activity())

    def notes(self) -> list[AlarmNote]:
        """Oldest first."""
        kept = [str(one).split("|", 2) for one in java_class("org.soom.phone.Ledger").notes(activity())]
        notes = [AlarmNote(_instant(int(millis)), event, alarm_id) for millis, event, alarm_id in kept]
        return sorted(notes, key=lambda note: (note.at, note.id))

    def settle(self, notes: list[AlarmNote]) -> None:
        """Forgets the notes."""
        kept = [f"{_millis(note.at)}|{note.event}|{note.id}" for note in notes]
        java_class("org.soom.phone.Ledger").settle(activity(), kept)

    def booted_at(self) -> datetime:
        """By Android's own count of the time since."""
        return _instant(int(java_class("org.soom.phone.Alarms").bootedAtMillis()))


def _instant(millis: int) -> datetime:
    return datetime.fromtimestamp(millis // 1000, UTC).replace(microsecond=millis % 1000 * 1000)


def _millis(instant: datetime) -> int:
    return int(instant.replace(microsecond=0).timestamp()) * 1000 + instant.microsecond // 1000


class AndroidNotifier:
    """Channels, push address and taps. One is made when the app starts."""

    def __init__(self) -> None:
        # The module android is python-for-android's own; it hands over the intent of a tap while the app is open.
        from android import activity as events  # type: ignore[import-not-found]

        self._tapped: str | None = _opened_by(activity().getIntent())
        events.bind(on_new_intent=self._opened)

    def name_channels(self, names: dict[str, str]) -> None:
        """Makes or renames the channels; the person's own choice of loudness stays."""
        for channel, name in names.items():
            java_class("org.soom.phone.Notices").channel(activity(), channel, name, _LOUD[channel])

    def ask_permission(self) -> None:
        """Shows Android's question where there is one."""
        if java_class("android.os.Build$VERSION").SDK_INT >= _ANDROID_13:
            activity().requestPermissions([_POST_NOTIFICATIONS], 0)

    def push_token(self) -> str | None:
        """The last token that Firebase gave."""
        token = java_class("org.soom.phone.PushService").token(activity())
        return None if token is None else str(token)

    def tapped(self) -> str | None:
        """What was tapped, once."""
        tapped, self._tapped = self._tapped, None
        return tapped

    def _opened(self, intent: Any) -> None:
        self._tapped = _opened_by(intent) or self._tapped


def _opened_by(intent: Any) -> str | None:
    """The message of a push; of an alarm its tag."""
    found = intent.getStringExtra("message_id") or intent.getStringExtra("soom_tag")
    return None if found is None else str(found)


class AndroidOwner:
    """Finger or face, through org.soom.phone.Owner."""

    def __init__(self) -> None:
        self._listener: Any = None

    def can_be_asked(self) -> bool:
        """Android 11 or newer with a finger or face enrolled."""
        return bool(java_class("org.soom.phone.Owner").canBeAsked(activity()))

    def ask(self, title: str, other_way: str, answer: Callable[[bool], None]) -> None:
        """Shows Android's dialogue; the answer comes on Android's main thread."""
        # Java holds no reference that Python's collector knows of, so the listener is kept here.
        self._listener = _listener(answer)
        java_class("org.soom.phone.Owner").ask(activity(), title, other_way, self._listener)


def _listener(answer: Callable[[bool], None]) -> Any:
    from jnius import PythonJavaClass, java_method

    class Listener(PythonJavaClass):  # type: ignore[misc]
        """org.soom.phone.Owner.Answer, in Python."""

        __javainterfaces__ = ("org/soom/phone/Owner$Answer",)
        __javacontext__ = "app"

        @java_method("(Z)V")  # type: ignore[untyped-decorator]
        def given(self, isOwner: bool) -> None:  # noqa: N803 (the name in Java)
            answer(bool(isOwner))

    return Listener()
