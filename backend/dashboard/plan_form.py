"""The plan editor's form: its fields read into a draft, and a starting point spread over its fields."""

from collections.abc import Mapping
from datetime import time
from typing import Any

from pydantic import ValidationError

from backend.clinical.guideline import edition
from backend.clinical.medicines import BIOLOGICS, AddOn, Use, catalogue
from backend.clinical.regimen_checks import Weight
from backend.plans.draft import Checked, PlanDraft, Remark, ReminderKind
from backend.recommendations.drafting import StartingPoint

ROWS = 4
OTHER_ADD_ONS = tuple(add_on for add_on in AddOn if add_on not in BIOLOGICS)
ZONES = ("green", "yellow", "red")
Fields = dict[str, str]
# What a saved draft keeps: never the password, nor the reason, which belongs to the moment of signing.
EDITOR_FIELDS = frozenset(
    {"based_on_version", "option", "personal_best", "basis", "meter", "yellow_below", "red_below", "review_on"}
    | {"steroid_milligrams", "steroid_days", "remind_doses", "remind_morning", "remind_evening"}
    | {"remind_peak_flow", "remind_diary"}
    | {f"extra_{zone}" for zone in ZONES}
    | {f"{name}_{row}" for name in ("product", "use", "inhalations", "times", "most") for row in range(ROWS)}
    | {"biologic"}
    | {f"add_on_{add_on.value}" for add_on in OTHER_ADD_ONS}
)
LONGEST_FIELD = 2000


def fields_of(start: StartingPoint) -> Fields:
    """The editor's fields as they stand before anybody writes."""
    fields: Fields = {
        "based_on_version": str(start.based_on_version),
        "option": start.option or "",
        "personal_best": _text(start.personal_best_litres_per_min),
        "basis": start.personal_best_basis.value,
        "meter": start.meter,
        "yellow_below": _text(start.yellow_below_litres_per_min),
        "red_below": _text(start.red_below_litres_per_min),
        "steroid_milligrams": "" if start.oral_steroid is None else f"{start.oral_steroid.milligrams_a_day:g}",
        "steroid_days": "" if start.oral_steroid is None else str(start.oral_steroid.days),
        "review_on": start.review_on.isoformat(),
        "remind_doses": "on",
        "remind_morning": "08:00",
        "remind_evening": "20:00",
        "remind_peak_flow": "on",
        "remind_diary": "",
    }
    for zone in ZONES:
        fields[f"extra_{zone}"] = "\n".join(getattr(start.extra_instructions, zone))
    for place, prescription in enumerate(start.regimen.prescriptions if start.regimen else []):
        fields[f"product_{place}"] = prescription.product_id
        fields[f"use_{place}"] = prescription.use.value
        fields[f"inhalations_{place}"] = str(prescription.inhalations)
        fields[f"times_{place}"] = str(prescription.times_a_day)
        fields[f"most_{place}"] = _text(prescription.most_inhalations_a_day)
    for add_on in start.regimen.add_ons if start.regimen else []:
        if add_on in BIOLOGICS:
            fields["biologic"] = add_on.value
        else:
            fields[f"add_on_{add_on.value}"] = "on"
    return fields


def kept_fields(sent: Mapping[str, str]) -> Fields:
    """The editor's fields that were filled in, for a saved draft."""
    return {name: sent[name][:LONGEST_FIELD] for name in EDITOR_FIELDS if sent.get(name)}


def fields_of_saved(saved: Mapping[str, str]) -> Fields:
    """The editor as it was left; a field that was empty then is empty again."""
    return dict.fromkeys(EDITOR_FIELDS, "") | dict(saved)


def rows_of(fields: Fields) -> range:
    """The rows of prescriptions to show: those written, and an empty one."""
    written = [row for row in range(ROWS) if fields.get(f"product_{row}")]
    return range(min(ROWS, max(2, written[-1] + 2 if written else 2)))


def draft_of(sent: Mapping[str, str]) -> PlanDraft:
    """Raises ValidationError, whose places `remarks_of` turns into the editor's own."""
    prescriptions = [_prescription(sent, place) for place in range(ROWS) if sent.get(f"product_{place}")]
    written: dict[str, Any] = {
        "based_on_version": sent.get("based_on_version", ""),
        "personal_best_litres_per_min": sent.get("personal_best", ""),
        "personal_best_basis": sent.get("basis", ""),
        "meter": sent.get("meter", ""),
        "yellow_below_litres_per_min": sent.get("yellow_below", ""),
        "red_below_litres_per_min": sent.get("red_below", ""),
        "regimen": {
            "prescriptions": prescriptions,
            "add_ons": [
                *filter(None, [sent.get("biologic")]),
                *(add_on.value for add_on in OTHER_ADD_ONS if sent.get(f"add_on_{add_on.value}")),
            ],
        },
        "oral_steroid": _oral_steroid(sent),
        "extra_instructions": {
            zone: [line for line in sent.get(f"extra_{zone}", "").splitlines() if line.strip()] for zone in ZONES
        },
        "reminders": _reminders(sent, prescriptions),
        "review_on": sent.get("review_on", ""),
    }
    return PlanDraft.model_validate(written)


def not_understood(error: ValidationError) -> Checked:
    """What cannot even be read as a plan, said like any other refusal."""
    guideline = edition()
    remarks = []
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        code = "no_reliever" if path == "regimen.prescriptions" else "not_understood"
        remarks.append(
            Remark(weight=Weight.REFUSED, path=path, code=code, message=problem["msg"], source=guideline.title)
        )
    return Checked(remarks=remarks, edition=guideline.id)


def _prescription(sent: Mapping[str, str], place: int) -> dict[str, Any]:
    use = sent.get(f"use_{place}", "")
    return {
        "product_id": sent[f"product_{place}"],
        "use": use,
        "inhalations": sent.get(f"inhalations_{place}") or 1,
        # The field is out of sight for what is taken only as needed.
        "times_a_day": 0 if use == Use.AS_NEEDED else sent.get(f"times_{place}") or 1,
        "most_inhalations_a_day": sent.get(f"most_{place}") or None,
    }


def _oral_steroid(sent: Mapping[str, str]) -> dict[str, str] | None:
    milligrams, days = sent.get("steroid_milligrams", ""), sent.get("steroid_days", "")
    return {"milligrams_a_day": milligrams, "days": days} if milligrams or days else None


def _reminders(sent: Mapping[str, str], prescriptions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Doses at the patient's own morning and evening; three and four a day are spread between them."""
    morning, evening = sent.get("remind_morning") or "08:00", sent.get("remind_evening") or "20:00"
    found: list[dict[str, Any]] = []
    for prescription in prescriptions if sent.get("remind_doses") else []:
        count = int(prescription["times_a_day"]) if str(prescription["times_a_day"]).isdigit() else 0
        if prescription["product_id"] in catalogue() and prescription["use"] != Use.AS_NEEDED:
            found += [
                {"kind": ReminderKind.TAKE_INHALER.value, "at": at, "product_id": prescription["product_id"]}
                for at in _spread(morning, evening, count)
            ]
    if sent.get("remind_peak_flow"):
        found.append({"kind": ReminderKind.MEASURE_PEAK_FLOW.value, "at": morning})
    if sent.get("remind_diary"):
        found.append({"kind": ReminderKind.WRITE_DIARY.value, "at": evening})
    return found


def _spread(morning: str, evening: str, count: int) -> list[str]:
    if count < 2:
        return [morning] * count
    try:
        first, last = time.fromisoformat(morning), time.fromisoformat(evening)
    except ValueError:
        # Left as written, for the draft's own check to refuse.
        return [morning, evening]
    start, end = first.hour * 60 + first.minute, last.hour * 60 + last.minute
    minutes = [start + (end - start) * number // (count - 1) for number in range(count)]
    return [f"{minute // 60:02d}:{minute % 60:02d}" for minute in minutes]


def _text(value: int | None) -> str:
    return "" if value is None else str(value)
