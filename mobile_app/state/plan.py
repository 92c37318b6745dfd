"""The signed plan: its zones and steps, what changed since the last one, and that it was read."""

from collections.abc import Callable
from dataclasses import dataclass

from mobile_app.data.clinic import Plan
from mobile_app.state.open_diary import OpenDiary

ZONES = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class ZoneOfPlan:
    """One zone of the plan in words."""

    zone: str
    word: str
    limits: str
    steps: list[str]


class PlanPage:
    """Reads the plans on this phone; they are there without a network."""

    def __init__(self, diary: OpenDiary) -> None:
        self._diary = diary
        self.on_change: Callable[[], None] = lambda: None
        self.refresh()

    def refresh(self) -> None:
        """Reads the plans anew."""
        plans = self._diary.clinic.plans(limit=2)
        self.plan: Plan | None = plans[0] if plans else None
        self._before: Plan | None = plans[1] if len(plans) > 1 else None
        self.on_change()

    @property
    def signed_line(self) -> str:
        """Who signed it and when."""
        if self.plan is None:
            return ""
        wording = self._diary.wording
        signed_on = self._diary.moment(self.plan.signed_at).local_date
        return wording.say(
            "plan.signed",
            doctor=self.plan.signed_by,
            day=wording.full_date(signed_on, with_year=True),
            version=self.plan.version,
        )

    @property
    def best_line(self) -> str:
        """The personal best and the meter it holds for."""
        if self.plan is None:
            return ""
        say = self._diary.wording.say
        best = self.plan.personal_best_litres_per_min
        if not self.plan.meter:
            return say("plan.best", best=best)
        return say("plan.best_with_meter", best=best, meter=self.plan.meter)

    @property
    def review_line(self) -> str:
        """When the plan is looked at again, or an empty text."""
        if self.plan is None or self.plan.review_on is None:
            return ""
        wording = self._diary.wording
        day = wording.full_date(self.plan.review_on, with_year=True)
        return wording.say("plan.review_over" if self.plan.review_on < self._diary.today() else "plan.review", day=day)

    @property
    def zones(self) -> list[ZoneOfPlan]:
        """Green, yellow, red."""
        if self.plan is None:
            return []
        say = self._diary.wording.say
        yellow, red = self.plan.yellow_below_litres_per_min, self.plan.red_below_litres_per_min
        limits = {
            "green": say("plan.from", value=yellow),
            "yellow": say("plan.between", low=red, high=yellow - 1),
            "red": say("plan.below", value=red),
        }
        return [ZoneOfPlan(zone, say(f"zone.{zone}"), limits[zone], self.plan.instructions[zone]) for zone in ZONES]

    @property
    def prescriptions(self) -> list[tuple[str, str]]:
        """Each medicine's name and how to use it."""
        return [] if self.plan is None else [(one.name, one.text) for one in self.plan.prescriptions]

    @property
    def reminders(self) -> list[tuple[str, str]]:
        """Times of the patient's own clock, and what for."""
        return [] if self.plan is None else sorted((one.at, one.text) for one in self.plan.reminders)

    @property
    def differences(self) -> list[str]:
        """What is new against the plan before, in words; empty when there is none before or nothing changed."""
        if self.plan is None:
            return []
        if self.plan.difference:
            return list(self.plan.difference)
        if self._before is None:
            return []
        say, plan, before = self._diary.wording.say, self.plan, self._before
        # The clinic's own words, which name the medicines, hold against the version right before this one.
        if plan.difference and before.version == plan.version - 1:
            return list(plan.difference)
        lines = []
        for key, old, new in (
            ("best", before.personal_best_litres_per_min, plan.personal_best_litres_per_min),
            ("yellow", before.yellow_below_litres_per_min, plan.yellow_below_litres_per_min),
            ("red", before.red_below_litres_per_min, plan.red_below_litres_per_min),
        ):
            if old != new:
                lines.append(say(f"plan.changed_{key}", old=old, new=new))
        # Steps in another language are another text, not another treatment.
        if plan.language == before.language:
            for zone in ZONES:
                old_steps, new_steps = before.instructions[zone], plan.instructions[zone]
                word = say(f"zone.{zone}")
                lines += [say("plan.added", zone=word, step=one) for one in new_steps if one not in old_steps]
                lines += [say("plan.removed", zone=word, step=one) for one in old_steps if one not in new_steps]
        return lines

    @property
    def is_unread(self) -> bool:
        """Whether the patient has not yet said that they read this version."""
        if self.plan is None:
            return False
        receipt = self._diary.journal.latest("plan_receipt")
        return receipt is None or int(receipt.entry.value["plan_version"]) < self.plan.version

    def confirm_read(self) -> None:
        """Tells the clinic that this version was read."""
        if self.plan is not None and self.is_unread:
            self._diary.record("plan_receipt", {"plan_version": self.plan.version})
            self.refresh()
