"""Codes and ranges of the answers that Soom takes, as numbers. No questionnaire's wording is kept here."""

from types import MappingProxyType
from typing import Final

from backend.diary.tables import Instrument

YES_OR_NO = (0, 1)
DAYS_OF_A_WEEK = (0, 7)

# Answers of these instruments are whole numbers; those of `score` may be fractions.
WHOLE_NUMBERS: Final = frozenset({Instrument.WEEKLY_REVIEW, Instrument.CONTROL_CHECK})

ANSWER_RANGES: Final = MappingProxyType(
    {
        # The last seven days: days with a complaint, grades 1 (none) to 5 (all the time), bands of daily puffs.
        Instrument.WEEKLY_REVIEW: {
            "night_waking_days": DAYS_OF_A_WEEK,
            "symptom_days": DAYS_OF_A_WEEK,
            "activity_limited_days": DAYS_OF_A_WEEK,
            "short_of_breath": (1, 5),
            "wheeze": (1, 5),
            # 1 none, 2 one to two puffs a day, 3 three to four, 4 five to eight, 5 nine to twelve, 6 more
            "reliever_band": (1, 6),
            # 1 no, 2 as usual, 3 more than usual, 4 not sure
            "systemic_steroids": (1, 4),
            "doctor_visit_days": DAYS_OF_A_WEEK,
            "emergency_visit_days": DAYS_OF_A_WEEK,
            "hospital_days": DAYS_OF_A_WEEK,
        },
        # The four questions on symptom control over the last four weeks (GINA 2019, Box 2-2), each yes or no.
        Instrument.CONTROL_CHECK: {
            "daytime_symptoms": YES_OR_NO,
            "night_waking": YES_OR_NO,
            "reliever_use": YES_OR_NO,
            "activity_limited": YES_OR_NO,
        },
        # Totals of questionnaires that the patient filled in elsewhere, with the range each can take.
        Instrument.SCORE: {
            "act": (5, 25),
            "c_act": (0, 27),
            "acq": (0, 6),
            "airq": (0, 10),
            "carat": (0, 30),
        },
    }
)


def problem_with(instrument: Instrument, answers: dict[str, float]) -> tuple[str, str] | None:
    """The code and a sentence for the first answer that the instrument cannot have, or None when all are possible."""
    ranges = ANSWER_RANGES[instrument]
    for code, answer in answers.items():
        if code not in ranges:
            return code, f"{instrument.value} has no answer of this code."
        lowest, highest = ranges[code]
        if not lowest <= answer <= highest:
            return code, f"This answer goes from {lowest} to {highest}."
        if instrument in WHOLE_NUMBERS and answer != int(answer):
            return code, "This answer is a whole number."
    return None
