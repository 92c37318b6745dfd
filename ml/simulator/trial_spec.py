"""Trials as files: reads and checks a TOML description (ml/trials/README.md documents every key)."""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast, get_args

from ml.simulator.people import People
from ml.simulator.regimens import BUDESONIDE_EQUIVALENT, Biologic, Regimen, Reliever
from ml.simulator.trial_fields import Table, TrialSpecError

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
REGIMEN_KEYS = (*(f.name for f in fields(Regimen)), "ics", "reliever_ics")
COMPARISON_KEYS = (
    "outcome", "reference_outcome", "measure", "arm", "reference", "subgroup", "group", "reference_group", "target",
)  # fmt: skip
DOCUMENT_KEYS = (
    "title", "source", "row", "seed", "patients", "largest_patients", "duration_days", "adherence_mean", "before",
    "before_days", "run_in", "run_in_days", "severity_shift", "eligibility", "arms", "outcomes", "comparisons",
    "regressions", "levels",
)  # fmt: skip
# The cohort's ages; nobody younger or older can be drawn.
AGES_YEARS = (6.0, 82.0)
YEAR_DAYS = 365
LONGEST_DAYS = 10 * YEAR_DAYS
FEWEST_PATIENTS, MOST_PATIENTS = 100, 1_000_000
TRAITS = tuple(f.name for f in fields(People))
KNOWN_BEFORE = TRAITS + HISTORY + RUN_IN
# What a level may be of, or be compared with, when no arm is named.
RUN_IN_LEVELS = ("morning_litres_per_min", "reliever_puffs_per_day", "night_waking_share", "symptom_free_share")


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
    outcome: str
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


def _regimen(table: Table, adherence_mean: float | None) -> Regimen:
    values = dict(table.values)
    for key, per, target in (
        ("ics", "micrograms_per_day", "ics_micrograms_per_day"),
        ("reliever_ics", "micrograms_per_puff", "reliever_ics_micrograms_per_puff"),
    ):
        if key in values:
            if target in values:
                raise table.wrong(f"give either {key} or {target}")
            dose = table.table(key, ("drug", per))
            values[target] = dose.number(per, low=0) * BUDESONIDE_EQUIVALENT[dose.one_of("drug", BUDESONIDE_EQUIVALENT)]
            del values[key]
    read = Table(values, table.where)
    adherence = _adherence(read, adherence_mean)
    technique = read.number("technique") if "technique" in read else None
    try:
        return Regimen(
            ics_micrograms_per_day=read.number("ics_micrograms_per_day", 0),
            doses_per_day=read.whole("doses_per_day", 2, 1, 2),
            laba=read.flag("laba"),
            lama=read.flag("lama"),
            reliever=cast(Reliever, read.one_of("reliever", get_args(Reliever), "saba")),
            reliever_ics_micrograms_per_puff=read.number("reliever_ics_micrograms_per_puff", 0),
            biologic=cast(Biologic, read.one_of("biologic", get_args(Biologic), "none")),
            onset_multiplier=read.number("onset_multiplier", 1),
            onset_days=read.whole("onset_days", 14, 1, YEAR_DAYS),
            adherence_mean=adherence,
            adherence_logit_shift=read.number("adherence_logit_shift", 0),
            technique=technique,
        )
    except TrialSpecError:
        raise
    except ValueError as error:
        raise table.wrong(str(error)) from error


def _adherence(table: Table, otherwise: float | None) -> float | None:
    """The mean share of doses taken; None: as in real life."""
    if table.values.get("adherence_mean", otherwise) in (None, "real_life"):
        return None
    mean = table.number("adherence_mean", otherwise)
    if not 0 < mean < 1:
        raise table.wrong('expected a number between 0 and 1, or "real_life"', "adherence_mean")
    return mean


def _regimen_or_usual(document: Table, key: str, adherence_mean: float | None) -> Regimen | Literal["usual_care"]:
    value = document.values.get(key, "usual_care")
    if value == "usual_care":
        return "usual_care"
    if not isinstance(value, dict):
        raise document.wrong('a regimen table or "usual_care"', key)
    return _regimen(document.table(key, REGIMEN_KEYS), adherence_mean)


def _arm(name: str, table: Table, adherence_mean: float | None, duration_days: int) -> Arm:
    changes: dict[int, Regimen] = {}
    for change in table.tables("changes", ("on_day", *REGIMEN_KEYS)):
        on_day = change.whole("on_day", None, 1, duration_days - 1)
        if on_day in changes:
            raise change.wrong(f"day {on_day} has a change already", "on_day")
        changes[on_day] = _regimen(change, adherence_mean)
    rescue = _regimen(table.table("rescue", REGIMEN_KEYS), adherence_mean) if "rescue" in table else None
    return Arm(name, _regimen(table, adherence_mean), tuple(sorted(changes.items())), rescue)


def _outcome(name: str, table: Table) -> Outcome:
    criteria = []
    for one in table.tables("criteria", tuple(f.name for f in fields(DiaryCriterion))):
        bounds = [bound for bound in ("at_least", "rise", "fall_share") if bound in one]
        if len(bounds) != 1:
            raise one.wrong("exactly one of at_least, rise, fall_share")
        bound = one.number(bounds[0])
        if bounds[0] == "fall_share" and not 0 < bound < 1:
            raise one.wrong("expected a share between 0 and 1", "fall_share")
        criteria.append(
            DiaryCriterion(one.one_of("signal", SIGNALS), one.whole("days", 1, 1, YEAR_DAYS), **{bounds[0]: bound})
        )
    events = table.names("events", EVENTS, ())
    if not events and not criteria:
        raise table.wrong("needs events or criteria")
    return Outcome(name, events, tuple(criteria), table.whole("gap_days", 14, 0, LONGEST_DAYS))


def _target(table: Table, key: str = "target") -> Target:
    target = table.table(key, ("value", "interval", "source"))
    value = target.number("value")
    interval = target.range("interval") if "interval" in target else None
    if interval is not None and not interval[0] <= value <= interval[1]:
        raise target.wrong(f"{value:g} is outside its own interval", "value")
    return Target(value, interval, target.text("source"))


def _ratio_target(table: Table, key: str = "target") -> Target:
    target = _target(table, key)
    if target.value <= 0:
        raise table.wrong("the value of a ratio must be above 0", key)
    return target


def _comparison(table: Table, arms: Collection[str], outcomes: Collection[str]) -> Comparison:
    counted = (*outcomes, "uncontrolled")
    known = (*KNOWN_BEFORE, "adherence")
    found = Comparison(
        outcome=table.one_of("outcome", counted),
        reference_outcome=table.one_of("reference_outcome", counted, table.values["outcome"]),
        measure=table.one_of("measure", MEASURES, "rate_ratio"),
        arms=table.names("arm", arms),
        reference=table.names("reference", arms),
        subgroup=table.ranges("subgroup", KNOWN_BEFORE),
        group=table.ranges("group", known),
        reference_group=table.ranges("reference_group", known),
        target=_ratio_target(table) if "target" in table else None,
    )
    if found.measure == "hazard_ratio" and "uncontrolled" in (found.outcome, found.reference_outcome):
        raise table.wrong("uncontrolled has no first day, so no hazard ratio", "measure")
    return found


def _regression(table: Table, arms: Collection[str], outcomes: Collection[str]) -> Regression:
    logarithms = tuple(f"log10_{name}" for name in KNOWN_BEFORE)
    terms = table.names("terms", (*KNOWN_BEFORE, *logarithms, "any_attack_last_year"))
    targets = table.table("targets", terms)
    return Regression(
        table.one_of("outcome", outcomes),
        table.one_of("arm", arms),
        terms,
        {term: _ratio_target(targets, term) for term in targets.values},
    )


def _level(table: Table, arms: Collection[str], outcomes: Collection[str]) -> LevelTarget:
    quantity = table.one_of("quantity", LEVELS)
    found = LevelTarget(
        quantity,
        table.names("arm", arms, ()),
        table.names("minus", (*arms, "run_in"), ()),
        table.one_of("outcome", outcomes) if quantity in ("rate", "event_share") else "",
        _target(table),
    )
    if (not found.arms or "run_in" in found.minus) and quantity not in RUN_IN_LEVELS:
        raise table.wrong(f"known of the run-in are {', '.join(RUN_IN_LEVELS)} only", "quantity")
    return found


def _traits(eligibility: Table) -> Limits:
    limits = eligibility.ranges("traits", TRAITS)
    low, high = limits.get("age_years", AGES_YEARS)
    if high < AGES_YEARS[0] or low > AGES_YEARS[1]:
        raise eligibility.wrong(f"the cohort is {AGES_YEARS[0]:g} to {AGES_YEARS[1]:g} years old", "traits.age_years")
    return limits


def parse(document: Mapping[str, Any], name: str) -> TrialSpec:
    """A checked specification; raises TrialSpecError naming the first key that is wrong."""
    whole = Table.of(document, "", DOCUMENT_KEYS)
    whole.required("title")
    adherence = _adherence(whole, None)
    eligibility = whole.table("eligibility", ("traits", "history", "run_in"))
    history = eligibility.ranges("history", HISTORY)
    duration = whole.whole("duration_days", None, 1, LONGEST_DAYS)
    before_days = whole.whole("before_days", YEAR_DAYS if history else 90, 0, LONGEST_DAYS)
    if history and before_days < YEAR_DAYS:
        raise whole.wrong(f"must be {YEAR_DAYS} or more where eligibility looks at the last year", "before_days")
    arm_tables = whole.named_tables("arms", ("changes", "rescue", *REGIMEN_KEYS))
    outcome_tables = whole.named_tables("outcomes", ("events", "criteria", "gap_days"))
    fewest, most = FEWEST_PATIENTS, MOST_PATIENTS
    return TrialSpec(
        name=name,
        title=whole.text("title"),
        source=whole.text("source"),
        row=whole.whole("row", None, 1, 999) if "row" in whole else None,
        seed=whole.whole("seed", 1, 0, 2**32 - 1),
        patients=whole.whole("patients", None, fewest, most) if "patients" in whole else None,
        largest_patients=whole.whole("largest_patients", 60_000, fewest, most),
        duration_days=duration,
        before_days=before_days,
        before=_regimen_or_usual(whole, "before", None),
        run_in_days=whole.whole("run_in_days", 14, 1, LONGEST_DAYS),
        run_in=_regimen_or_usual(whole, "run_in", adherence),
        adherence_mean=adherence,
        severity_shift=whole.number("severity_shift", 0),
        traits=_traits(eligibility),
        history=history,
        run_in_limits=eligibility.ranges("run_in", RUN_IN),
        arms=tuple(_arm(arm, table, adherence, duration) for arm, table in arm_tables.items()),
        outcomes=tuple(_outcome(outcome, table) for outcome, table in outcome_tables.items()),
        comparisons=tuple(
            _comparison(table, arm_tables, outcome_tables) for table in whole.tables("comparisons", COMPARISON_KEYS)
        ),
        regressions=tuple(
            _regression(table, arm_tables, outcome_tables)
            for table in whole.tables("regressions", ("outcome", "arm", "terms", "targets"))
        ),
        levels=tuple(
            _level(table, arm_tables, outcome_tables)
            for table in whole.tables("levels", ("quantity", "arm", "minus", "outcome", "target"))
        ),
    )


def read_spec(path: Path) -> TrialSpec:
    """The trial in a TOML file; TrialSpecError when it is not valid TOML or says something impossible."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrialSpecError(f"not valid TOML: {error}") from error
    return parse(document, path.stem)
