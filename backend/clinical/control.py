"""Symptom control over four weeks, from diary answers. A day without an answer is never a symptom-free day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition


class ControlClass(StrEnum):
    WELL_CONTROLLED = "well_controlled"
    PARTLY_CONTROLLED = "partly_controlled"
    UNCONTROLLED = "uncontrolled"
    NOT_ENOUGH_DATA = "not_enough_data"


class Criterion(StrEnum):
    DAYTIME_SYMPTOMS = "daytime_symptoms"
    NIGHT_WAKING = "night_waking"
    RELIEVER_USE = "reliever_use"
    ACTIVITY_LIMITED = "activity_limited"


@dataclass(frozen=True)
class Answers:
    """Days of the window on which a question was answered, and on how many of them the answer was yes."""

    days_answered: int
    days_yes: int

    def __post_init__(self) -> None:
        if not 0 <= self.days_yes <= self.days_answered:
            raise ValueError("days with a yes must lie between 0 and the days answered")


@dataclass(frozen=True)
class FourWeeks:
    """`reliever` counts days with reliever for symptoms; use before exercise is left out (GINA 2019, Box 2-2)."""

    daytime: Answers
    night: Answers
    reliever: Answers
    activity: Answers
    reliever_is_ics_formoterol: bool


@dataclass(frozen=True)
class DiaryDay:
    """One local day; None = not answered."""

    local_date: date
    daytime_symptoms: bool | None = None
    night_waking: bool | None = None
    reliever_for_symptoms: bool | None = None
    activity_limited: bool | None = None


@dataclass(frozen=True)
class Control:
    """`met` are criteria that hold, `open` those with too few answers to say; `not_used` ones count for nothing.

    `from_check` are those that the diary was too thin for and the four questions, answered at once, decided.
    """

    control_class: ControlClass
    met: tuple[Criterion, ...]
    open: tuple[Criterion, ...]
    not_used: tuple[Criterion, ...]
    source: str
    from_check: tuple[Criterion, ...] = ()


@dataclass(frozen=True)
class ControlCheck:
    """The four questions on the last four weeks, answered at once on a day; a question left out is not answered."""

    answered_on: date
    answers: Mapping[Criterion, bool]

    def stands(self, on: date, guideline: Guideline | None = None) -> bool:
        """Whether it still says something of the four weeks that end with `on`."""
        days = (guideline or edition()).number("control.check_stands_for")
        return 0 <= (on - self.answered_on).days <= days


def four_weeks(
    days: Iterable[DiaryDay], until: date, reliever_is_ics_formoterol: bool, guideline: Guideline | None = None
) -> FourWeeks:
    """Count the answers of the window that ends with `until`; two entries of one day count once, a yes winning."""
    guideline = guideline or edition()
    first = until - timedelta(days=int(guideline.number("control.window")) - 1)
    inside = [day for day in days if first <= day.local_date <= until]

    def count(question: str) -> Answers:
        answered: dict[date, bool] = {}
        for day in inside:
            answer = getattr(day, question)
            if answer is not None:
                answered[day.local_date] = answered.get(day.local_date, False) or answer
        return Answers(len(answered), sum(answered.values()))

    return FourWeeks(
        daytime=count("daytime_symptoms"),
        night=count("night_waking"),
        reliever=count("reliever_for_symptoms"),
        activity=count("activity_limited"),
        reliever_is_ics_formoterol=reliever_is_ics_formoterol,
    )


def assess_control(window: FourWeeks, guideline: Guideline | None = None, check: ControlCheck | None = None) -> Control:
    """The control class of GINA's four questions.

    `check`, if it still stands, decides what the diary is too thin for; what the diary says is never taken back.

    A criterion that holds on the answers alone counts even when answers are few; it is only taken as absent when enough
    days were answered. Uncontrolled needs no further answers once three criteria hold.
    """
    guideline = guideline or edition()
    states = {
        Criterion.DAYTIME_SYMPTOMS: _too_often(window.daytime, guideline),
        Criterion.NIGHT_WAKING: _ever(window.night, guideline),
        Criterion.RELIEVER_USE: _too_often(window.reliever, guideline),
        Criterion.ACTIVITY_LIMITED: _ever(window.activity, guideline),
    }
    from_check = []
    for criterion, answer in check.answers.items() if check is not None else ():
        if states[criterion] is None:
            states[criterion] = answer
            from_check.append(criterion)
    not_used: tuple[Criterion, ...] = ()
    if window.reliever_is_ics_formoterol and guideline.offers("control.ics_formoterol_reliever_not_counted"):
        del states[Criterion.RELIEVER_USE]
        not_used = (Criterion.RELIEVER_USE,)
    met = tuple(criterion for criterion, holds in states.items() if holds)
    still_open = tuple(criterion for criterion, holds in states.items() if holds is None)
    if len(met) >= guideline.number("control.uncontrolled_from"):
        control_class = ControlClass.UNCONTROLLED
    elif still_open:
        control_class = ControlClass.NOT_ENOUGH_DATA
    elif len(met) >= guideline.number("control.partly_from"):
        control_class = ControlClass.PARTLY_CONTROLLED
    else:
        control_class = ControlClass.WELL_CONTROLLED
    return Control(
        control_class,
        met,
        still_open,
        not_used,
        guideline.citation("control.uncontrolled_from"),
        tuple(criterion for criterion in from_check if criterion not in not_used),
    )


def _too_often(answers: Answers, guideline: Guideline) -> bool | None:
    limit = guideline.number("control.days_a_week_above")
    weeks = guideline.number("control.window") / 7
    if answers.days_yes > limit * weeks:
        return True
    if answers.days_answered < guideline.number("control.days_answered_needed"):
        return None
    return 7 * answers.days_yes > limit * answers.days_answered


def _ever(answers: Answers, guideline: Guideline) -> bool | None:
    if answers.days_yes:
        return True
    return None if answers.days_answered < guideline.number("control.days_answered_needed") else False
