"""When breathing is an emergency. Rules on answers and numbers; nothing else may lower what they raise."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mobile_app.data.journal import KeptEntry

# BTS/SIGN acute severe and life-threatening features that a patient can answer, and the Australian Asthma
# Handbook's "reliever needed again within 3 hours" (design notes, clinical section 11).
RED_FLAGS = (
    "cannot_speak_sentence",
    "blue_lips",
    "drowsy_or_confused",
    "reliever_not_helping",
    "reliever_again_within_3_hours",
)
# A warning stays in view for a day: an attack may come back after a first relief.
_WARNING_STAYS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StandingWarning:
    """Why the phone shows red now."""

    because: tuple[str, ...]
    at: datetime
    local_time: datetime


def standing_warning(entries: Iterable[KeptEntry], now: datetime) -> StandingWarning | None:
    """The latest red flag or red-zone reading of the last 24 hours, or None.

    A later better reading takes back a red-zone reading; a red flag it never takes back.
    """
    flagged: StandingWarning | None = None
    reading: StandingWarning | None = None
    for kept in entries:
        entry = kept.entry
        if not now - _WARNING_STAYS <= entry.moment.taken_at <= now + timedelta(minutes=5):
            continue
        if entry.kind == "symptoms" and entry.value.get("red_flags"):
            flagged = StandingWarning(tuple(entry.value["red_flags"]), entry.moment.taken_at, entry.moment.local)
        elif entry.kind == "peak_flow":
            is_red = entry.value.get("action_zone") == "red"
            reading = StandingWarning(("red_zone",), entry.moment.taken_at, entry.moment.local) if is_red else None
    return flagged or reading
