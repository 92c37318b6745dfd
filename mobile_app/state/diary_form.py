"""What can be written into the diary: peak flow, symptoms, puffs. A form holds answers; submit keeps them."""

from collections.abc import Callable
from datetime import datetime, timedelta

from mobile_app.data.clinic import Inhaler, Plan
from mobile_app.data.entries import Entry
from mobile_app.state.open_diary import OpenDiary
from mobile_app.state.warning_signs import RED_FLAGS

BLOWS = 3
LOWEST_LITRES_PER_MIN, HIGHEST_LITRES_PER_MIN = 30, 900
# A blow this far below the best of its session is mostly a cough or a leak: 15 % of sessions in AAMOS-00 have one.
_QUESTIONED_SHARE_OF_BEST = 0.7
UNKNOWN_METER = "unknown"
# Readings above this share of the personal best are mostly typing slips.
_QUESTIONED_SHARE_OF_PERSONAL_BEST = 1.3
_CLOCK_TOLERANCE = timedelta(minutes=1)


class NotYet(ValueError):
    """The form cannot be kept as it stands. The argument is a message code under ``form``."""


class DiaryForm:
    """What all forms share: when it happened, and which entry is being corrected."""

    kind = ""

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        self._diary = diary
        self.correcting = correcting
        self.happened_at: datetime | None = correcting.moment.taken_at if correcting else None
        self.on_change: Callable[[], None] = lambda: None

    @property
    def when_text(self) -> str:
        """The chosen time in words."""
        wording = self._diary.wording
        if self.happened_at is None:
            return wording.say("form.now")
        moment = self._diary.moment(self.happened_at)
        day = wording.day(moment.local_date, self._diary.today())
        return wording.say("form.day_and_time", day=day, time=wording.time(moment.local))

    def happened(self, at: datetime | None) -> None:
        """Sets when it happened; None means now. Raises NotYet for the future."""
        if at is not None and at > self._diary.clock.now() + _CLOCK_TOLERANCE:
            raise NotYet("in_the_future")
        self.happened_at = at
        self.on_change()

    def submit(self) -> Entry:
        """Keeps the entry. Raises NotYet."""
        raise NotImplementedError

    def delete(self) -> Callable[[], None]:
        """Deletes the entry being corrected; the answer takes that back. Raises EntryChangedMeanwhile."""
        seen = self.correcting
        if seen is None:
            raise ValueError("nothing is being corrected")
        tombstone = self._diary.delete(seen)

        def undo() -> None:
            self._diary.revise(tombstone, seen.body)

        return undo

    def _keep(self, body: dict[str, object]) -> Entry:
        unmoved = self.correcting is not None and self.happened_at == self.correcting.moment.taken_at
        moment = self.correcting.moment if self.correcting and unmoved else self._diary.moment(self.happened_at)
        if self.correcting is not None:
            return self._diary.revise(self.correcting, body, moment)
        return self._diary.record(self.kind, body, moment)


class PeakFlowForm(DiaryForm):
    """Three blows; the best one counts."""

    kind = "peak_flow"

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        self.plan: Plan | None = diary.clinic.plan()
        body = correcting.value if correcting else {}
        known = [str(blow) for blow in body.get("blows_litres_per_min", [])]
        self.blows: list[str] = known + [""] * (BLOWS - len(known))
        self.chosen = 0
        self.bronchodilator = str(body.get("bronchodilator", "unknown"))
        self.meter = str(body.get("meter") or diary.meter)

    def choose(self, blow: int) -> None:
        """The blow that the next digits go to, 0 to 2."""
        self.chosen = blow
        self.on_change()

    def press(self, digit: str) -> None:
        """Adds a digit to the chosen blow; after three digits the next empty blow is chosen."""
        text = self.blows[self.chosen]
        if len(text) >= 3 or (not text and digit == "0"):
            return
        self.blows[self.chosen] = text + digit
        if len(text) == 2 and self.chosen + 1 < BLOWS and not self.blows[self.chosen + 1]:
            self.chosen += 1
        self.on_change()

    def erase(self) -> None:
        """Takes the last digit back, from the blow before when this one is empty."""
        if not self.blows[self.chosen] and self.chosen > 0:
            self.chosen -= 1
        self.blows[self.chosen] = self.blows[self.chosen][:-1]
        self.on_change()

    def took_reliever(self, when: str) -> None:
        """Whether the blows were before or after the reliever, or unknown."""
        self.bronchodilator = when
        self.on_change()

    @property
    def litres_per_min(self) -> list[int]:
        """The blows written so far."""
        return [int(text) for text in self.blows if text]

    @property
    def best_litres_per_min(self) -> int | None:
        """The best plausible blow, or None before there is one."""
        inside = [blow for blow in self.litres_per_min if LOWEST_LITRES_PER_MIN <= blow <= HIGHEST_LITRES_PER_MIN]
        return max(inside, default=None)

    @property
    def best_blow(self) -> int | None:
        """Which blow is the best, 0 to 2."""
        best = self.best_litres_per_min
        return None if best is None else self.blows.index(str(best))

    @property
    def zone(self) -> str | None:
        """The zone of the best blow by the signed plan; None without a plan or a blow."""
        best = self.best_litres_per_min
        return None if best is None or self.plan is None else self.plan.zone_of(best)

    @property
    def percent_of_personal_best(self) -> int | None:
        """The best blow as a whole percentage of the plan's personal best."""
        best = self.best_litres_per_min
        if best is None or self.plan is None:
            return None
        return round(100 * best / self.plan.personal_best_litres_per_min)

    @property
    def questions(self) -> list[str]:
        """Message codes of what looks odd; none of it stops the entry."""
        best = self.best_litres_per_min
        asked: list[str] = []
        if best is None:
            return asked
        if any(blow < best * _QUESTIONED_SHARE_OF_BEST for blow in self.litres_per_min):
            asked.append("blow_far_below_best")
        if self.plan and best > self.plan.personal_best_litres_per_min * _QUESTIONED_SHARE_OF_PERSONAL_BEST:
            asked.append("far_above_personal_best")
        if self.plan and self.meter not in ("", UNKNOWN_METER, self.plan.meter) and self.plan.meter:
            asked.append("other_meter_than_plan")
        return asked

    def submit(self) -> Entry:
        """Keeps the reading with its zone frozen. Raises NotYet."""
        blows = self.litres_per_min
        if not blows:
            raise NotYet("no_blow")
        if any(not LOWEST_LITRES_PER_MIN <= blow <= HIGHEST_LITRES_PER_MIN for blow in blows):
            raise NotYet("blow_out_of_range")
        return self._keep(
            {
                "blows_litres_per_min": blows,
                "meter": self.meter[:60] or UNKNOWN_METER,
                "scale": self._diary.meter_scale,
                "bronchodilator": self.bronchodilator,
                "action_zone": self.zone,
                "plan_version": self.plan.version if self.plan else None,
            }
        )


class SymptomsForm(DiaryForm):
    """The last day and night in a few taps, and the warning signs."""

    kind = "symptoms"
    QUESTIONS = ("daytime", "night_waking", "activity_limited")

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        body = correcting.value if correcting else {}
        self.answers: dict[str, bool | None] = {question: body.get(question) for question in self.QUESTIONS}
        self.severity: int | None = body.get("severity")
        self.red_flags: set[str] = set(body.get("red_flags", []))

    def answer(self, question: str, given: bool | None) -> None:
        """Answers one of QUESTIONS; None takes the answer back."""
        self.answers[question] = given
        self.on_change()

    def felt(self, severity: int | None) -> None:
        """0 none, 1 mild, 2 moderate, 3 severe."""
        self.severity = severity
        self.on_change()

    def toggle_red_flag(self, flag: str) -> None:
        """Marks or unmarks a warning sign."""
        self.red_flags ^= {flag}
        self.on_change()

    @property
    def is_emergency(self) -> bool:
        """Whether any warning sign is marked; shown at once, before anything is kept."""
        return bool(self.red_flags)

    def submit(self) -> Entry:
        """Keeps the answers. Raises NotYet when there is none."""
        if self.severity is None and not self.red_flags and all(one is None for one in self.answers.values()):
            raise NotYet("no_answer")
        flags = [flag for flag in RED_FLAGS if flag in self.red_flags]
        return self._keep({**self.answers, "severity": self.severity, "red_flags": flags})


class PuffsForm(DiaryForm):
    """How many puffs of which inhaler, and what for."""

    kind = "inhaler_use"
    MOST_PUFFS = 40

    def __init__(self, diary: OpenDiary, correcting: Entry | None = None) -> None:
        super().__init__(diary, correcting)
        self.inhalers: list[Inhaler] = diary.clinic.inhalers()
        body = correcting.value if correcting else {}
        first = self.inhalers[0] if self.inhalers else None
        self.inhaler_id: str | None = body.get("inhaler_id") or (first.id if first else None)
        self.puffs = int(body.get("puffs") or (first.puffs_per_dose if first else None) or 1)
        self.purpose = str(body.get("purpose") or self._usual_purpose())

    def _usual_purpose(self) -> str:
        inhaler = self.inhaler
        return "relief" if inhaler is None or inhaler.relieves else "maintenance"

    @property
    def inhaler(self) -> Inhaler | None:
        """The chosen inhaler."""
        return next((one for one in self.inhalers if one.id == self.inhaler_id), None)

    def choose(self, inhaler_id: str) -> None:
        """Chooses the inhaler, with its usual dose and purpose."""
        self.inhaler_id = inhaler_id
        inhaler = self.inhaler
        self.puffs = (inhaler.puffs_per_dose if inhaler else None) or 1
        self.purpose = self._usual_purpose()
        self.on_change()

    def more(self, by: int) -> None:
        """Changes the number of puffs, between 1 and MOST_PUFFS."""
        self.puffs = min(max(self.puffs + by, 1), self.MOST_PUFFS)
        self.on_change()

    def took_for(self, purpose: str) -> None:
        """relief, maintenance or before_exercise."""
        self.purpose = purpose
        self.on_change()

    def submit(self) -> Entry:
        """Keeps the puffs. Raises NotYet without an inhaler."""
        if self.inhaler_id is None:
            raise NotYet("no_inhaler")
        return self._keep(inhaler_use(self.inhaler_id, self.puffs, self.purpose))


def inhaler_use(inhaler_id: str, puffs: int, purpose: str) -> dict[str, object]:
    """The body of counted puffs."""
    return {
        "inhaler_id": inhaler_id,
        "puffs": puffs,
        "puffs_at_most": None,
        "purpose": purpose,
        "source": "logged",
    }
