"""Trials as files: reads and checks a TOML description (ml/trials/README.md documents every key)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ml.simulator.people import People
from ml.simulator.regimens import BUDESONIDE_EQUIVALENT, Regimen

Limits = Mapping[str, tuple[float, float]]
EVENTS = ("severe_attack", "unscheduled_visit", "emergency_visit", "hospital_admission")
SIGNALS = ("morning_peak_flow", "evening_peak_flow", "reliever_puffs", "symptoms", "night_waking")
MEASURES = ("rate_ratio", "risk_ratio", "hazard_ratio", "odds_ratio")
LEVELS = (
    "rate", "event_share", "morning_litres_per_min", "fev1_litres", "reliever_puffs_per_day", "night_waking_share",
    "symptom_free_share", "ics_micrograms_per_day", "adherence", "uncontrolled_share",
)  # fmt: skip
# Known before randomisation, beside the traits.
HISTORY = ("severe_attacks_last_year",)
RUN_IN = (
    "run_in_reliever_puffs", "run_in_symptom_day_share", "run_in_night_waking_share", "run_in_peak_flow_share",
    "run_in_attacks", "run_in_litres_per_min", "run_in_reliever_day_share",
)  # fmt: skip


class TrialSpecError(ValueError):
    """The description of a trial is wrong; the message names the key."""


@dataclass(frozen=True, slots=True)
class DiaryCriterion:
    """A signal beyond a bound on `days` consecutive days; `fall_share` and `rise` are against the run-in mean."""

    signal: str
    days: int = 1
    at_least: float | None = None
    rise: float | None = None
    fall_share: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Any of the events or criteria; a new one counts after `gap_days` without."""

    name: str
    events: tuple[str, ...] = ()
    criteria: tuple[DiaryCriterion, ...] = ()
    gap_days: int = 14


@dataclass(frozen=True, slots=True)
class Arm:
    """The regimen from randomisation on, later changes as (day, regimen), and what follows a first severe attack."""

    name: str
    regimen: Regimen
    changes: tuple[tuple[int, Regimen], ...] = ()
    rescue: Regimen | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A published figure: value, 95 % interval where known, tolerance where the usual one does not fit."""

    value: float
    interval: tuple[float, float] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Arms (averaged if several) against reference arms, or patients within `group` against `reference_group`.

    `reference_outcome` is for trials that define the outcome differently by arm, such as by reliever puffs.
    """

    outcome: str
    reference_outcome: str
    measure: str
    arms: tuple[str, ...]
    reference: tuple[str, ...]
    subgroup: Limits = field(default_factory=dict)
    group: Limits = field(default_factory=dict)
    reference_group: Limits = field(default_factory=dict)
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Regression:
    """Poisson regression of an outcome's counts in one arm; `targets` are rate ratios per unit of a term."""

    outcome: str
    arm: str
    terms: tuple[str, ...]
    targets: Mapping[str, Target]


@dataclass(frozen=True, slots=True)
class LevelTarget:
    """A published level of arms (averaged), or its difference from `minus` arms; of the run-in if arms is empty."""

    quantity: str
    arms: tuple[str, ...]
    minus: tuple[str, ...]
    outcome: str | None
    target: Target


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """Everything needed to run one trial on the virtual cohort."""

    name: str
    title: str
    source: str
    row: int | None
    seed: int
    patients: int | None
    largest_patients: int
    duration_days: int
    before_days: int
    before: Regimen | Literal["usual_care"]
    run_in_days: int
    run_in: Regimen | Literal["usual_care"]
    adherence_mean: float | None
    severity_shift: float
    traits: Limits
    history: Limits
    run_in_limits: Limits
    arms: tuple[Arm, ...]
    outcomes: tuple[Outcome, ...]
    comparisons: tuple[Comparison, ...]
    regressions: tuple[Regression, ...]
    levels: tuple[LevelTarget, ...]


def _only(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise TrialSpecError(f"{where}: unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(allowed))}")


def _range(value: Any, where: str) -> tuple[float, float]:
    if not (isinstance(value, list) and len(value) == 2 and all(isinstance(v, int | float) for v in value)):
        raise TrialSpecError(f"{where}: expected [low, high]")
    low, high = float(value[0]), float(value[1])
    if low > high:
        raise TrialSpecError(f"{where}: low {low:g} exceeds high {high:g}")
    return low, high


def _limits(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> dict[str, tuple[float, float]]:
    _only(table, allowed, where)
    return {name: _range(value, f"{where}.{name}") for name, value in table.items()}


def _regimen(table: Mapping[str, Any], adherence_mean: float | None, where: str) -> Regimen:
    values = dict(table)
    for key, target, per in (
        ("ics", "ics_micrograms_per_day", "micrograms_per_day"),
        ("reliever_ics", "reliever_ics_micrograms_per_puff", "micrograms_per_puff"),
    ):
        if key in values:
            dose = values.pop(key)
            _only(dose, ("drug", per), f"{where}.{key}")
            if dose.get("drug") not in BUDESONIDE_EQUIVALENT:
                raise TrialSpecError(f"{where}.{key}.drug: one of {', '.join(sorted(BUDESONIDE_EQUIVALENT))}")
            values[target] = float(dose[per]) * BUDESONIDE_EQUIVALENT[dose["drug"]]
    _only(values, tuple(f.name for f in fields(Regimen)), where)
    values.setdefault("adherence_mean", adherence_mean)
    if values["adherence_mean"] == "real_life":
        values["adherence_mean"] = None
    try:
        return Regimen(**values)
    except (TypeError, ValueError) as error:
        raise TrialSpecError(f"{where}: {error}") from error


def _regimen_or_usual(value: Any, adherence_mean: float | None, where: str) -> Regimen | Literal["usual_care"]:
    if value == "usual_care":
        return "usual_care"
    if not isinstance(value, dict):
        raise TrialSpecError(f'{where}: a regimen table or "usual_care"')
    return _regimen(value, adherence_mean, where)


def _arm(name: str, table: Mapping[str, Any], adherence_mean: float | None) -> Arm:
    values = dict(table)
    changes = []
    for number, change in enumerate(values.pop("changes", [])):
        where = f"arms.{name}.changes[{number}]"
        later = dict(change)
        if not isinstance(later.get("on_day"), int) or later["on_day"] < 1:
            raise TrialSpecError(f"{where}.on_day: a day of treatment, 1 or later")
        on_day = later.pop("on_day")
        changes.append((on_day, _regimen(later, adherence_mean, where)))
    rescue = values.pop("rescue", None)
    return Arm(
        name,
        _regimen(values, adherence_mean, f"arms.{name}"),
        tuple(sorted(changes, key=lambda change: change[0])),
        None if rescue is None else _regimen(rescue, adherence_mean, f"arms.{name}.rescue"),
    )


def _outcome(name: str, table: Mapping[str, Any]) -> Outcome:
    where = f"outcomes.{name}"
    _only(table, ("events", "criteria", "gap_days"), where)
    events = tuple(table.get("events", []))
    for event in events:
        if event not in EVENTS:
            raise TrialSpecError(f"{where}.events: {event!r} is not one of {', '.join(EVENTS)}")
    criteria = []
    for number, one in enumerate(table.get("criteria", [])):
        _only(one, tuple(f.name for f in fields(DiaryCriterion)), f"{where}.criteria[{number}]")
        criterion = DiaryCriterion(**one)
        bounds = [criterion.at_least, criterion.rise, criterion.fall_share]
        if criterion.signal not in SIGNALS:
            raise TrialSpecError(f"{where}.criteria[{number}].signal: one of {', '.join(SIGNALS)}")
        if sum(bound is not None for bound in bounds) != 1 or criterion.days < 1:
            raise TrialSpecError(f"{where}.criteria[{number}]: exactly one of at_least, rise, fall_share; days ≥ 1")
        criteria.append(criterion)
    if not events and not criteria:
        raise TrialSpecError(f"{where}: needs events or criteria")
    return Outcome(name, events, tuple(criteria), int(table.get("gap_days", 14)))


def _target(table: Mapping[str, Any], where: str) -> Target:
    _only(table, ("value", "interval", "source"), where)
    interval = _range(table["interval"], f"{where}.interval") if "interval" in table else None
    return Target(float(table["value"]), interval, str(table.get("source", "")))


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def parse(document: Mapping[str, Any], name: str) -> TrialSpec:
    """A checked specification; raises TrialSpecError naming the first key that is wrong."""
    _only(
        document,
        ("title", "source", "row", "seed", "patients", "largest_patients", "duration_days", "adherence_mean", "before",
         "before_days", "run_in", "run_in_days", "severity_shift", "eligibility", "arms", "outcomes", "comparisons",
         "regressions", "levels"),
        name,
    )  # fmt: skip
    for key in ("title", "duration_days", "arms", "outcomes"):
        if key not in document:
            raise TrialSpecError(f"{name}: missing key {key}")
    adherence = document.get("adherence_mean")
    if adherence == "real_life":
        adherence = None
    eligibility = document.get("eligibility", {})
    _only(eligibility, ("traits", "history", "run_in"), "eligibility")
    traits = tuple(f.name for f in fields(People))
    known = traits + HISTORY + RUN_IN + ("adherence",)
    arms = tuple(_arm(arm, table, adherence) for arm, table in document["arms"].items())
    outcomes = tuple(_outcome(outcome, table) for outcome, table in document["outcomes"].items())
    arm_names, outcome_names = {arm.name for arm in arms}, {outcome.name for outcome in outcomes}

    def checked(names: Any, allowed: set[str], where: str) -> tuple[str, ...]:
        found = _names(names)
        for one in found:
            if one not in allowed:
                raise TrialSpecError(f"{where}: {one!r} is not one of {', '.join(sorted(allowed))}")
        return found

    comparisons = []
    for number, table in enumerate(document.get("comparisons", [])):
        where = f"comparisons[{number}]"
        _only(
            table,
            (
                "outcome",
                "reference_outcome",
                "measure",
                "arm",
                "reference",
                "subgroup",
                "group",
                "reference_group",
                "target",
            ),
            where,
        )
        comparisons.append(
            Comparison(
                outcome=checked(table["outcome"], outcome_names | {"uncontrolled"}, f"{where}.outcome")[0],
                reference_outcome=checked(
                    table.get("reference_outcome", table["outcome"]),
                    outcome_names | {"uncontrolled"},
                    f"{where}.outcome",
                )[0],
                measure=checked(table.get("measure", "rate_ratio"), set(MEASURES), f"{where}.measure")[0],
                arms=checked(table["arm"], arm_names, f"{where}.arm"),
                reference=checked(table["reference"], arm_names, f"{where}.reference"),
                subgroup=_limits(table.get("subgroup", {}), known, f"{where}.subgroup"),
                group=_limits(table.get("group", {}), known, f"{where}.group"),
                reference_group=_limits(table.get("reference_group", {}), known, f"{where}.reference_group"),
                target=_target(table["target"], f"{where}.target") if "target" in table else None,
            )
        )
    regressions = []
    for number, table in enumerate(document.get("regressions", [])):
        where = f"regressions[{number}]"
        _only(table, ("outcome", "arm", "terms", "targets"), where)
        targets = {term: _target(one, f"{where}.targets.{term}") for term, one in table.get("targets", {}).items()}
        regressions.append(
            Regression(
                checked(table["outcome"], outcome_names, f"{where}.outcome")[0],
                checked(table["arm"], arm_names, f"{where}.arm")[0],
                tuple(table["terms"]),
                targets,
            )
        )
    levels = []
    for number, table in enumerate(document.get("levels", [])):
        where = f"levels[{number}]"
        _only(table, ("quantity", "arm", "minus", "outcome", "target"), where)
        levels.append(
            LevelTarget(
                checked(table["quantity"], set(LEVELS), f"{where}.quantity")[0],
                checked(table["arm"], arm_names, f"{where}.arm") if table.get("arm") else (),
                checked(table.get("minus", []), arm_names | {"run_in"}, f"{where}.minus"),
                table.get("outcome"),
                _target(table["target"], f"{where}.target"),
            )
        )
    return TrialSpec(
        name=name,
        title=str(document["title"]),
        source=str(document.get("source", "")),
        row=document.get("row"),
        seed=int(document.get("seed", 1)),
        patients=document.get("patients"),
        largest_patients=int(document.get("largest_patients", 60_000)),
        duration_days=int(document["duration_days"]),
        before_days=int(document.get("before_days", 365 if eligibility.get("history") else 90)),
        before=_regimen_or_usual(document.get("before", "usual_care"), None, "before"),
        run_in_days=int(document.get("run_in_days", 14)),
        run_in=_regimen_or_usual(document.get("run_in", "usual_care"), adherence, "run_in"),
        adherence_mean=adherence,
        severity_shift=float(document.get("severity_shift", 0)),
        traits=_limits(eligibility.get("traits", {}), traits, "eligibility.traits"),
        history=_limits(eligibility.get("history", {}), HISTORY, "eligibility.history"),
        run_in_limits=_limits(eligibility.get("run_in", {}), RUN_IN, "eligibility.run_in"),
        arms=arms,
        outcomes=outcomes,
        comparisons=tuple(comparisons),
        regressions=tuple(regressions),
        levels=tuple(levels),
    )


def read_spec(path: Path) -> TrialSpec:
    """The trial in a TOML file; TrialSpecError when it is not valid TOML or says something impossible."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise TrialSpecError(f"{path.name}: not valid TOML: {error}") from error
    return parse(document, path.stem)
