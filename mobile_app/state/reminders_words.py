"""What a reminder says: on the notification, where strangers may read it, and inside Soom."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from mobile_app.data.clinic import Inhaler, Plan
from mobile_app.device.ports import Alarm
from mobile_app.locales import Wording
from mobile_app.state.reminders_schedule import WINDOW_MINUTES

CHANNEL = "reminders"
# The three reasons that a care team can do something about; the others are asked for inside Soom.
REASONS_ON_NOTIFICATION = ("side_effects", "ran_out", "feel_well")
SKIP_REASONS = ("forgot", "side_effects", "ran_out", "feel_well", "ill", "away", "other")


def is_dose(key: str) -> bool:
    """Whether the reminder is one of a daily inhaler."""
    return key.startswith("dose:")


def inhaler_of(key: str) -> str | None:
    """The inhaler that a reminder is about."""
    kind, _, rest = key.partition(":")
    return rest.partition(":")[0] if kind in ("dose", "refill") else None


def names_of(plan: Plan | None, inhalers: Iterable[Inhaler]) -> dict[str, str]:
    """The names of inhalers by id, as the plan or else the list of inhalers has them."""
    listed = {one.id.lower(): one.name for one in inhalers}
    return listed | ({one.inhaler_id.lower(): one.name for one in plan.prescriptions} if plan else {})


def reminder_in_words(key: str, names: Mapping[str, str], wording: Wording) -> str:
    """What the reminder is for, with the inhaler's name."""
    kind = key.partition(":")[0]
    return wording.say(f"reminders.for_{kind}", name=names.get(inhaler_of(key) or "", ""))


def alarm_for(
    alarm_id: str, key: str, wall: datetime, names: Mapping[str, str], wording: Wording, *, health_words: bool
) -> Alarm:
    """The alarm of an occurrence. Without ``health_words`` nobody learns from it what it is for."""
    say = wording.say
    text = say("reminders.at" if health_words else "reminders.discreet", time=wording.time(wall))
    buttons = ("taken", "snooze", "skip") if is_dose(key) else ("snooze",)
    offered = health_words and is_dose(key)
    return Alarm(
        id=alarm_id,
        due=wall,
        window_minutes=WINDOW_MINUTES,
        channel=CHANNEL,
        title=reminder_in_words(key, names, wording) if health_words else say("reminders.discreet_title"),
        text=text,
        actions=tuple((code, say(f"reminders.button_{code}")) for code in buttons),
        reasons=tuple((code, say(f"reminders.skip_{code}")) for code in REASONS_ON_NOTIFICATION) if offered else (),
        why=say("reminders.why_skipped") if offered else "",
        open_on_lock_screen=health_words,
    )


def words_version(names: Mapping[str, str], wording: Wording, *, health_words: bool) -> str:
    """Changes when alarms must be armed anew for their words; tells nobody what they say."""
    said = repr((sorted(names.items()), wording.language, health_words))
    return hashlib.sha256(said.encode()).hexdigest()[:16]
