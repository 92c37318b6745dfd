"""One row of the published AAMOS-00 files → diary entries, with its dirt kept honest.

The codes are those of the data dictionary beside the files (Tsang et al., Sci Data 10:370, 2023).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from backend.clinical.peak_flow import BlowQuestion, blow_questions

Wire = dict[str, Any]
Fields = Mapping[str, str]
Meaning = TypeVar("Meaning")

TIME_ZONE = "Europe/London"
METER = "Smart Asthma"
MISSING = frozenset({"NA", ""})

# The files give no hour for questionnaires and events. A day is asked about at its end.
DAILY_AT = time(20)
WEEKLY_AT = time(20, 30)
EVENT_AT = time(12)
# The dictionary calls 15:00 to 05:00 the evening task, and `date` is the calendar's: a reading between midnight and
# this hour belongs to the evening of the diary day before.
EVENING_UNTIL_HOUR = 5

# Reported ranges of puffs; 99 has no upper end.
PUFF_RANGES = {"0": (0, None), "1": (1, 2), "3": (3, 4), "5": (5, 8), "9": (9, 12), "12": (12, 99)}
CONTROLLER_AMOUNTS = {"1": "none", "2": "as_usual", "3": "less", "4": "more", "5": "unsure"}
# "I am not sure" (19) names no trigger, and that none was met is not said either.
NOT_SURE = "19"
TRIGGERS: Mapping[str, tuple[str, str | None]] = {
    "1": ("none", None),
    "2": ("infection", None),
    "3": ("exercise", None),
    "4": ("strong_smells", None),
    "5": ("mould", None),
    "6": ("house_dust", None),
    "7": ("other", "feathers"),
    "8": ("pets", None),
    "9": ("pollen", None),
    "10": ("other", "extreme heat"),
    "11": ("cold_air", None),
    "12": ("weather_change", None),
    "13": ("air_pollution", None),
    "14": ("smoke", None),
    "15": ("food", None),
    "16": ("menstruation", None),
    "17": ("stress", None),
    "18": ("other", "laughter"),
    "20": ("other", None),
}
WEEKLY_ANSWERS = {
    "weekly_night_symp": ("night_waking_days", 0, 7),
    "weekly_day_symp": ("symptom_days", 0, 7),
    "weekly_limit_activity": ("activity_limited_days", 0, 7),
    "weekly_short_breath": ("short_of_breath", 1, 5),
    "weekly_wheeze": ("wheeze", 1, 5),
    "weekly_relief_inhaler": ("reliever_band", 1, 6),
    "weekly_oral": ("systemic_steroids", 1, 4),
}
WEEKLY_EVENTS = {
    "weekly_doc": ("doctor_visit_days", "unscheduled_visit"),
    "weekly_er": ("emergency_visit_days", "emergency_visit"),
    "weekly_hospital": ("hospital_days", "hospital_admission"),
}
MORE_STEROID_THAN_USUAL = "3"
CONTROLLER_NAMES = frozenset({"fostair"})


class RowRefused(Exception):
    """Why nothing of a row can be taken."""


@dataclass(frozen=True)
class Person:
    """A patient of the files: whose rows they are, and the date that stands for the first day of monitoring."""

    patient_id: UUID
    first_day_on: date
    reliever_id: UUID
    controller_id: UUID


@dataclass
class Translated:
    """What a row says, and what was odd about it."""

    entries: list[Wire]
    remarks: list[str]


def whole(fields: Fields, column: str) -> int:
    try:
        return int(fields[column])
    except (KeyError, ValueError) as error:
        raise RowRefused(f"“{column}” is not a whole number") from error


def yes_or_no(fields: Fields, column: str) -> bool | None:
    given = fields.get(column, "NA")
    if given in MISSING:
        return None
    if given not in ("TRUE", "FALSE"):
        raise RowRefused(f"“{column}” is neither TRUE nor FALSE")
    return given == "TRUE"


def of_code(fields: Fields, column: str, meanings: Mapping[str, Meaning]) -> Meaning | None:
    given = fields.get(column, "NA")
    if given in MISSING:
        return None
    if given not in meanings:
        raise RowRefused(f"“{column}” has a code that the data dictionary does not know")
    return meanings[given]


def entry(
    person: Person, kind: str, name: str, day: int, at: time, body: Wire, *, diary_day: int | None = None
) -> Wire:
    """An entry whose id follows from patient, kind and `name`, so that a second import changes nothing."""
    taken_on = person.first_day_on + timedelta(days=day)
    taken_at = datetime.combine(taken_on, at, ZoneInfo(TIME_ZONE)).astimezone(UTC)
    offset = taken_at.astimezone(ZoneInfo(TIME_ZONE)).utcoffset() or timedelta(0)
    local_date = person.first_day_on + timedelta(days=day if diary_day is None else diary_day)
    return {
        "kind": kind,
        "id": str(uuid5(person.patient_id, f"aamos00/{kind}/{name}")),
        "revision": 1,
        "deleted": False,
        "taken_at": taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "time_zone": TIME_ZONE,
        "utc_offset_minutes": int(offset.total_seconds() // 60),
        "local_date": local_date.isoformat(),
        "body": body,
    }


def daily(person: Person, fields: Fields) -> Translated:
    day = whole(fields, "date")
    entries: list[Wire] = []
    remarks: list[str] = []
    complaints = {
        "daytime": yes_or_no(fields, "daily_day_symp"),
        "night_waking": yes_or_no(fields, "daily_night_symp"),
        "activity_limited": yes_or_no(fields, "daily_limit_activity"),
    }
    if any(answer is None for answer in complaints.values()):
        remarks.append("a question on symptoms was not answered")
    if any(answer is not None for answer in complaints.values()):
        body: Wire = complaints | {"severity": None, "red_flags": []}
        entries.append(entry(person, "symptoms", str(day), day, DAILY_AT, body))
    puffs = of_code(fields, "daily_relief_inhaler", PUFF_RANGES)
    if puffs is not None:
        body = {"inhaler_id": str(person.reliever_id), "puffs": puffs[0], "puffs_at_most": puffs[1]}
        body |= {"purpose": "relief", "source": "day_recall"}
        entries.append(entry(person, "inhaler_use", f"recall/reliever/{day}", day, DAILY_AT, body))
    amount = of_code(fields, "daily_prev_inhaler", CONTROLLER_AMOUNTS)
    if amount is not None:
        body = {"inhaler_id": str(person.controller_id), "amount": amount}
        body |= {"purpose": "maintenance", "source": "day_recall"}
        entries.append(entry(person, "inhaler_use", f"recall/controller/{day}", day, DAILY_AT, body))
    codes = [code.strip() for code in fields.get("daily_triggers", "NA").split(",")]
    if codes == ["NA"]:
        remarks.append("the question on triggers was not answered")
        codes = []
    if NOT_SURE in codes:
        remarks.append("not sure about triggers: no trigger entered for that")
        codes = [code for code in codes if code != NOT_SURE]
    for code in codes:
        if code not in TRIGGERS:
            raise RowRefused("“daily_triggers” has a code that the data dictionary does not know")
        trigger, note = TRIGGERS[code]
        entries.append(entry(person, "trigger", f"{day}/{code}", day, DAILY_AT, {"trigger": trigger, "note": note}))
    if not entries:
        raise RowRefused("no question was answered")
    return Translated(entries, remarks)


def peak_flow(person: Person, fields: Fields) -> Translated:
    """The files' own maximum is no measurement of its own: where it has no blows beside it, nothing supports it."""
    day, hour = whole(fields, "date"), whole(fields, "hour")
    given = fields.get("pefs", "NA").strip()
    if given in MISSING:
        raise RowRefused("the blows are not recorded (NA or empty), only a maximum that cannot be checked")
    remarks = []
    if "," in given:
        remarks.append("blows separated by commas instead of bars")
    try:
        blows = [int(blow) for blow in given.replace(",", "|").split("|")]
    except ValueError as error:
        raise RowRefused("the blows are not whole numbers") from error
    if max(blows) != whole(fields, "pef_max"):
        raise RowRefused("the recorded maximum is not the best of the recorded blows")
    if BlowQuestion.BLOWS_DISAGREE in blow_questions(blows):
        remarks.append("a blow far below the session's best is kept as an artefact; the best blow counts")
    evening_before = yes_or_no(fields, "morning") is False and hour < EVENING_UNTIL_HOUR
    if evening_before:
        remarks.append("taken after midnight: it belongs to the evening of the day before")
    body = {
        "blows_litres_per_min": blows,
        "meter": METER,
        "scale": "unknown",
        "bronchodilator": "unknown",
        "action_zone": None,
        "plan_version": None,
    }
    name = f"{day}/{hour}/{given}"
    diary_day = day - 1 if evening_before else day
    return Translated([entry(person, "peak_flow", name, day, time(hour), body, diary_day=diary_day)], remarks)


def smart_inhaler(person: Person, fields: Fields, occurrence: int) -> Translated:
    """One actuation; `occurrence` numbers those of one hour. A sensor on a maintenance inhaler records no relief."""
    day, hour = whole(fields, "date"), whole(fields, "hour")
    maintenance = fields.get("name", "").strip().lower() in CONTROLLER_NAMES
    body = {
        "inhaler_id": str(person.controller_id if maintenance else person.reliever_id),
        "puffs": 1,
        "purpose": "maintenance" if maintenance else "relief",
        "source": "sensor",
    }
    remarks = ["the sensor sat on a maintenance inhaler: counted as maintenance, not relief"] if maintenance else []
    name = f"sensor/{day}/{hour}/{occurrence}"
    return Translated([entry(person, "inhaler_use", name, day, time(hour), body)], remarks)


def weekly(person: Person, fields: Fields) -> Translated:
    """The answers of a week, and an attack entry for each day with a visit or admission, or for a steroid course.

    The files do not say when a course began: it is put with the week's first event, else on the day of the answer.
    """
    day = whole(fields, "date")
    remarks: list[str] = []
    answers: dict[str, int] = {}
    for column, (code, lowest, highest) in WEEKLY_ANSWERS.items():
        given = fields.get(column, "NA")
        if given in MISSING:
            continue
        if given.isdigit() and lowest <= int(given) <= highest:
            answers[code] = int(given)
        else:
            remarks.append(f"“{column}” is {given}, which is no possible answer; the other answers are taken")
    events: dict[int, Wire] = {}
    for column, (code, consequence) in WEEKLY_EVENTS.items():
        days_back = _days_back(fields, column)
        answers[code] = len(days_back)
        for back in days_back:
            events.setdefault(day + back, {})[consequence] = True
    if fields.get("weekly_oral") == MORE_STEROID_THAN_USUAL:
        events.setdefault(min(events, default=day), {})["systemic_steroids"] = True
    body = {"instrument": "weekly_review", "period_days": 7, "answers": answers, "score": None}
    entries = [entry(person, "questionnaire", str(day), day, WEEKLY_AT, body)]
    for event_day, consequences in events.items():
        entries.append(entry(person, "attack", str(event_day), event_day, EVENT_AT, {**consequences, "source": "self"}))
    return Translated(entries, remarks)


def _days_back(fields: Fields, column: str) -> list[int]:
    given = fields.get(column, "NA")
    if given in MISSING or given == "0":
        return []
    try:
        days = sorted({int(part) for part in given.split(",")})
    except ValueError as error:
        raise RowRefused(f"“{column}” is no list of days") from error
    if not all(-7 <= back <= -1 for back in days):
        raise RowRefused(f"“{column}” names days outside the week")
    return days
