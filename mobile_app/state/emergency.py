"""What to do in an attack. Needs no network, no account, no plan; a signed plan speaks first where there is one."""

from collections.abc import Callable
from datetime import datetime, timedelta

from mobile_app.data.clinic import Inhaler
from mobile_app.device.ports import Telephone
from mobile_app.state.diary_form import inhaler_use
from mobile_app.state.open_diary import OpenDiary

# Salbutamol 4 puffs by spacer, again after 20 minutes (Australian Asthma Handbook; clinical notes, section 11).
REPEAT_AFTER = timedelta(minutes=20)

_NUMBER_BY_ZONE = {"Asia/Seoul": "119", "Asia/Tokyo": "119"}
_NUMBER_BY_CONTINENT = {"America": "911", "Europe": "112"}
# Any GSM phone connects 112 to the local emergency service.
_NUMBER_ANYWHERE = "112"


def emergency_number(time_zone: str, of_profile: str | None) -> str:
    """The number to call: the clinic's, else that of the place the phone is in."""
    if of_profile:
        return of_profile
    continent = time_zone.partition("/")[0]
    return _NUMBER_BY_ZONE.get(time_zone) or _NUMBER_BY_CONTINENT.get(continent) or _NUMBER_ANYWHERE


class Emergency:
    """The steps, the puffs taken so far, and the time since the first."""

    def __init__(self, diary: OpenDiary, telephone: Telephone) -> None:
        self._diary = diary
        self._telephone = telephone
        self.on_change: Callable[[], None] = lambda: None
        self.puffs = 0
        self.first_puff_at: datetime | None = None

    @property
    def number(self) -> str:
        """The emergency number."""
        profile = self._diary.clinic.profile()
        return emergency_number(self._diary.clock.time_zone(), profile.emergency_number if profile else None)

    @property
    def steps(self) -> list[str]:
        """The signed plan's red instructions, else Soom's own first aid."""
        plan = self._diary.clinic.plan()
        if plan is not None and plan.instructions["red"]:
            return plan.instructions["red"]
        say = self._diary.wording.say
        return [say(f"emergency.step_{number}", number=self.number) for number in range(1, 5)]

    @property
    def steps_title(self) -> str:
        """Whose steps these are."""
        plan = self._diary.clinic.plan()
        if plan is not None and plan.instructions["red"]:
            return self._diary.wording.say("emergency.from_plan", doctor=plan.signed_by)
        return self._diary.wording.say("emergency.first_aid")

    @property
    def reliever(self) -> Inhaler | None:
        """The inhaler to take now."""
        return next((one for one in self._diary.clinic.inhalers() if one.relieves), None)

    def call(self) -> bool:
        """Opens the dialler; False where there is none."""
        return self._telephone.dial(self.number)

    def took_puff(self) -> None:
        """Counts a puff and, when the reliever is known, writes it into the diary."""
        self.puffs += 1
        self.first_puff_at = self.first_puff_at or self._diary.clock.now()
        if self.reliever is not None:
            self._diary.record("inhaler_use", inhaler_use(self.reliever.id, 1, "relief"))
        self.on_change()

    @property
    def timer_text(self) -> str:
        """Minutes and seconds since the first puff, and when to repeat."""
        say = self._diary.wording.say
        if self.first_puff_at is None:
            return say("emergency.timer_idle")
        elapsed = max(self._diary.clock.now() - self.first_puff_at, timedelta(0))
        minutes, seconds = divmod(int(elapsed.total_seconds()), 60)
        clock = f"{minutes}:{seconds:02d}"
        key = "emergency.timer_repeat" if elapsed >= REPEAT_AFTER else "emergency.timer"
        return say(key, clock=clock, count=self.puffs)

    @property
    def contacts(self) -> list[tuple[str, str]]:
        """Name and number of the people to call, as set on this phone."""
        return [(one["name"], one["number"]) for one in self._diary.database.setting("contacts", [])]

    def call_contact(self, number: str) -> bool:
        """Opens the dialler for a person; False where there is none."""
        return self._telephone.dial(number)
