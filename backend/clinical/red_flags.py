"""Danger signs and what they call for. They stand above zones and every model: nothing here lowers an urgency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from backend.clinical.guideline import Guideline, edition
from backend.clinical.reliever import CeilingStatus

EMERGENCY_NUMBERS = {"KR": "119", "US": "911"}
EUROPEAN_EMERGENCY_NUMBER = "112"


class RedFlag(StrEnum):
    """The first five are asked of the patient; the others follow from what was recorded."""

    CANNOT_SPEAK_SENTENCE = "cannot_speak_sentence"
    BLUE_LIPS = "blue_lips"
    DROWSY_OR_CONFUSED = "drowsy_or_confused"
    RELIEVER_NOT_HELPING = "reliever_not_helping"
    RELIEVER_AGAIN_WITHIN_3_HOURS = "reliever_again_within_3_hours"
    PEAK_FLOW_BELOW_HALF = "peak_flow_below_half"
    PEAK_FLOW_BELOW_THIRD = "peak_flow_below_third"
    RELIEVER_CEILING_PASSED = "reliever_ceiling_passed"
    RED_ZONE = "red_zone"
    RELIEVER_NEAR_CEILING = "reliever_near_ceiling"


ANSWERABLE = (
    RedFlag.CANNOT_SPEAK_SENTENCE,
    RedFlag.BLUE_LIPS,
    RedFlag.DROWSY_OR_CONFUSED,
    RedFlag.RELIEVER_NOT_HELPING,
    RedFlag.RELIEVER_AGAIN_WITHIN_3_HOURS,
)

# More than usual is a reason to call the clinic the same day, not yet an emergency (Symbicort product information).
SAME_DAY = frozenset({RedFlag.RELIEVER_NEAR_CEILING})

LIFE_THREATENING = frozenset({RedFlag.BLUE_LIPS, RedFlag.DROWSY_OR_CONFUSED, RedFlag.PEAK_FLOW_BELOW_THIRD})


_SOURCE_OF = {
    RedFlag.CANNOT_SPEAK_SENTENCE: "red_flags.severe_below",
    RedFlag.BLUE_LIPS: "red_flags.life_threatening_below",
    RedFlag.DROWSY_OR_CONFUSED: "red_flags.life_threatening_below",
    RedFlag.RELIEVER_NOT_HELPING: "red_flags.reliever_again_within",
    RedFlag.RELIEVER_AGAIN_WITHIN_3_HOURS: "red_flags.reliever_again_within",
    RedFlag.PEAK_FLOW_BELOW_HALF: "red_flags.severe_below",
    RedFlag.PEAK_FLOW_BELOW_THIRD: "red_flags.life_threatening_below",
    RedFlag.RELIEVER_CEILING_PASSED: "formoterol.adult_metered_a_day",
    RedFlag.RED_ZONE: "zones.red_below",
    RedFlag.RELIEVER_NEAR_CEILING: "formoterol.usual_most_a_day",
}


class Urgency(StrEnum):
    """Ordered: compare with `rank`, join with `highest`."""

    NONE = "none"
    SAME_DAY = "same_day"
    EMERGENCY = "emergency"

    @property
    def rank(self) -> int:
        return list(Urgency).index(self)


class FirstAid(StrEnum):
    CALL_EMERGENCY = "call_emergency"
    SIT_UPRIGHT = "sit_upright"
    TAKE_RESCUE_PUFFS = "take_rescue_puffs"
    REPEAT_UNTIL_HELP_COMES = "repeat_until_help_comes"
    DO_NOT_BE_ALONE = "do_not_be_alone"
    CALL_THE_CLINIC_TODAY = "call_the_clinic_today"


@dataclass(frozen=True)
class RedFlagAdvice:
    """What to do now. Puffs are of salbutamol through a spacer; None where no rescue puffs are called for."""

    urgency: Urgency
    life_threatening: bool
    flags: tuple[RedFlag, ...]
    actions: tuple[FirstAid, ...]
    rescue_puffs_fewest: int | None
    rescue_puffs_most: int | None
    repeat_after_minutes: int | None
    sources: tuple[str, ...]


def highest(urgencies: Iterable[Urgency]) -> Urgency:
    return max(urgencies, key=lambda urgency: urgency.rank, default=Urgency.NONE)


def emergency_number(country: str) -> str:
    """119 in Korea, 911 in the United States, 112 elsewhere (all of Europe, and GSM networks route it)."""
    return EMERGENCY_NUMBERS.get(country.upper(), EUROPEAN_EMERGENCY_NUMBER)


def recorded_flags(
    *,
    litres_per_min: float | None = None,
    personal_best_litres_per_min: float | None = None,
    red_below_litres_per_min: float | None = None,
    reliever_ceiling: CeilingStatus | None = None,
    guideline: Guideline | None = None,
) -> tuple[RedFlag, ...]:
    """The danger signs that follow from recorded numbers; a missing number raises none and clears none."""
    guideline = guideline or edition()
    flags = []
    if litres_per_min is not None and personal_best_litres_per_min:
        percent = 100 * litres_per_min / personal_best_litres_per_min
        if percent < guideline.number("red_flags.life_threatening_below"):
            flags.append(RedFlag.PEAK_FLOW_BELOW_THIRD)
        if percent < guideline.number("red_flags.severe_below"):
            flags.append(RedFlag.PEAK_FLOW_BELOW_HALF)
    if (
        litres_per_min is not None
        and red_below_litres_per_min is not None
        and litres_per_min < red_below_litres_per_min
    ):
        flags.append(RedFlag.RED_ZONE)
    if reliever_ceiling is CeilingStatus.PASSED:
        flags.append(RedFlag.RELIEVER_CEILING_PASSED)
    if reliever_ceiling in {CeilingStatus.NEAR, CeilingStatus.REACHED}:
        flags.append(RedFlag.RELIEVER_NEAR_CEILING)
    return tuple(flags)


def advise(flags: Iterable[RedFlag | str], guideline: Guideline | None = None) -> RedFlagAdvice:
    """Urgency and first aid for the flags present; zone and forecast are no inputs, so neither can cancel a flag.

    Raises ValueError for a code that is no red flag.
    """
    guideline = guideline or edition()
    present = {RedFlag(flag) for flag in flags}
    ordered = tuple(flag for flag in RedFlag if flag in present)
    if not ordered:
        return RedFlagAdvice(Urgency.NONE, False, (), (), None, None, None, ())
    if present <= SAME_DAY:
        source = guideline.citation(_SOURCE_OF[RedFlag.RELIEVER_NEAR_CEILING])
        actions = (FirstAid.CALL_THE_CLINIC_TODAY,)
        return RedFlagAdvice(Urgency.SAME_DAY, False, ordered, actions, None, None, None, (source,))
    return RedFlagAdvice(
        urgency=Urgency.EMERGENCY,
        life_threatening=bool(present & LIFE_THREATENING),
        flags=ordered,
        actions=(
            FirstAid.CALL_EMERGENCY,
            FirstAid.SIT_UPRIGHT,
            FirstAid.TAKE_RESCUE_PUFFS,
            FirstAid.REPEAT_UNTIL_HELP_COMES,
            FirstAid.DO_NOT_BE_ALONE,
        ),
        rescue_puffs_fewest=int(guideline.number("red_flags.rescue_puffs_fewest")),
        rescue_puffs_most=int(guideline.number("red_flags.rescue_puffs_most")),
        repeat_after_minutes=int(guideline.number("red_flags.rescue_repeat_after")),
        sources=tuple(
            dict.fromkeys(
                guideline.citation(key)
                for key in (*(_SOURCE_OF[flag] for flag in ordered), "red_flags.rescue_puffs_fewest")
            )
        ),
    )
