"""Reads the vignettes that doctors write, and asks the rules the same questions."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backend.clinical.biologics import Biomarkers
from backend.clinical.control import Answers, Control, FourWeeks, assess_control
from backend.clinical.guideline import Guideline, edition
from backend.clinical.ladder import classify
from backend.clinical.medicines import AddOn, DoseBand, Prescription, Regimen, Use, daily_ics
from backend.clinical.peak_flow import thresholds_from_personal_best, zone
from backend.clinical.red_flags import RedFlag, advise, recorded_flags
from backend.clinical.regimen_checks import Weight, check_regimen
from backend.clinical.reliever import ceiling_status
from backend.clinical.risk_factors import RiskFactor, RiskPicture, find_risk_factors
from backend.clinical.treatment_steps import Options, PatientState, legal_adjustments

PATH = Path(__file__).parent / "vignettes.toml"
USES = {"daily": Use.MAINTENANCE, "mart": Use.MAINTENANCE_AND_RELIEVER, "needed": Use.AS_NEEDED}
FIELDS = {"id", "story", "age", "regimen", "diary", "state", "risk", "peak_flow", "best", "signs", "today"}


@dataclass(frozen=True)
class Vignette:
    raw: dict[str, Any]
    source: str

    @property
    def id(self) -> str:
        return str(self.raw["id"])

    @property
    def expect(self) -> dict[str, Any]:
        return dict(self.raw["expect"])


@cache
def vignettes() -> tuple[Vignette, ...]:
    content = tomllib.loads(PATH.read_text(encoding="utf-8"))
    found = []
    for raw in content["vignette"]:
        unknown = raw.keys() - FIELDS - {"expect", "edition", "source"}
        if unknown:
            raise ValueError(f"{raw['id']}: unknown fields {sorted(unknown)}")
        named = {**raw, "regimen": content["regimens"].get(raw["regimen"], raw["regimen"])} if "regimen" in raw else raw
        found.append(Vignette(named, content["sources"][raw["source"]]))
    return tuple(found)


def read_regimen(text: str) -> Regimen:
    """`<product> daily NxT | mart NxT | needed N [max M]`, joined by ` + `; add-ons by their name."""
    prescriptions = []
    add_ons = set()
    for part in text.split(" + "):
        if part in set(AddOn):
            add_ons.add(AddOn(part))
            continue
        match = re.fullmatch(r"(\w+) (daily|mart|needed) (\d+)(?:x(\d+))?(?: max (\d+))?", part)
        if match is None:
            raise ValueError(f"can't read {part!r} as an inhaler")
        name, use, inhalations, times, most = match.groups()
        prescriptions.append(
            Prescription(name, USES[use], int(inhalations), int(times or 0), int(most) if most else None)
        )
    return Regimen(tuple(prescriptions), frozenset(add_ons))


def read_diary(text: str, reliever_is_ics_formoterol: bool) -> FourWeeks:
    numbers = re.fullmatch(r"(\d+) answered, (\d+) symptoms, (\d+) nights, (\d+) reliever, (\d+) limited", text)
    if numbers is None:
        raise ValueError(f"can't read {text!r} as a diary")
    answered, symptoms, nights, reliever, limited = (int(number) for number in numbers.groups())
    return FourWeeks(
        daytime=Answers(answered, symptoms),
        night=Answers(answered, nights),
        reliever=Answers(answered, reliever),
        activity=Answers(answered, limited),
        reliever_is_ics_formoterol=reliever_is_ics_formoterol,
    )


def judge(vignette: Vignette) -> dict[str, Any]:
    """What the rules say about everything that the vignette expects, in the vignette's own words."""
    raw = vignette.raw
    guideline = edition(raw["edition"])
    regimen = read_regimen(raw["regimen"]) if "regimen" in raw else None
    control = None
    if "diary" in raw and regimen is not None:
        control = assess_control(read_diary(raw["diary"], regimen.reliever_is_ics_formoterol), guideline)
    flags = _flags(raw, regimen, guideline)
    said: dict[str, Any] = {
        "risk_factors": sorted(risk.factor for risk in find_risk_factors(_picture(raw, control), guideline)),
        "red_flags": sorted(flags),
        "urgency": advise(flags, guideline).urgency,
    }
    if control is not None:
        said |= {"control": control.control_class, "met": sorted(control.met)}
    if "peak_flow" in raw:
        said["zone"] = zone(raw["peak_flow"], thresholds_from_personal_best(raw["best"], guideline))
    if regimen is not None:
        findings = check_regimen(regimen, raw["age"], guideline)
        said["problems"] = sorted({f.problem for f in findings if f.weight is Weight.REFUSED})
        said["cautions"] = sorted({f.problem for f in findings if f.weight is Weight.CAUTION})
        if "step" in raw["expect"] or "band" in raw["expect"]:
            said["step"] = str(classify(regimen, raw["age"], guideline))
            said["band"] = daily_ics(regimen, raw["age"], guideline).band
    if regimen is not None and control is not None:
        options = options_of(raw, regimen, control, flags, guideline)
        said["adjustments"] = sorted(options.codes - {"keep"})
        said["against"] = sorted(options.step_down.against)
        said["silence"] = options.silence
        said["measure_first"] = sorted({one for each in options.adjustments for one in each.measure_first})
    return said


def options_of(
    raw: dict[str, Any], regimen: Regimen, control: Control, flags: set[RedFlag], guideline: Guideline
) -> Options:
    state = dict(raw.get("state", {}))
    return legal_adjustments(
        regimen,
        PatientState(
            age_years=raw["age"],
            control=control.control_class,
            well_controlled_days=state.pop("well_days", None),
            severe_attacks_last_year=state.pop("attacks", None),
            biomarkers=Biomarkers(state.pop("eosinophils", None), state.pop("total_ige", None)),
            red_flags=frozenset(flags),
            **state,
        ),
        guideline,
    )


def _picture(raw: dict[str, Any], control: Control | None) -> RiskPicture:
    known = dict(raw.get("risk", {}))
    if "ics_band" in known:
        known["ics_band"] = DoseBand(known["ics_band"])
    known["reported"] = frozenset(RiskFactor(name) for name in known.get("reported", ()))
    return RiskPicture(control=control.control_class if control else None, **known)


def _flags(raw: dict[str, Any], regimen: Regimen | None, guideline: Guideline) -> set[RedFlag]:
    ceiling = None
    if "today" in raw and regimen is not None:
        ceiling = ceiling_status(raw["today"], regimen.relievers[0], raw["age"], guideline)
    red_below = None
    if "best" in raw:
        red_below = thresholds_from_personal_best(raw["best"], guideline).red_below_litres_per_min
    recorded = recorded_flags(
        litres_per_min=raw.get("peak_flow"),
        personal_best_litres_per_min=raw.get("best"),
        red_below_litres_per_min=red_below,
        reliever_ceiling=ceiling,
        guideline=guideline,
    )
    return {RedFlag(sign) for sign in raw.get("signs", ())} | set(recorded)
