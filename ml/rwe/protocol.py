"""A study as one TOML file: the target trial it emulates, checked to the field and known by its hash.

See `ml/rwe/example_study.toml` for a whole file with the meaning of each field.
"""

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ml.omop.tables import EVENT_COLUMNS
from ml.rwe.fields import FieldProblem, Fields, Problems

Domain = Literal["condition", "drug", "measurement", "observation", "visit"]
TermKind = Literal["any", "count", "last_value"]
FollowUpKind = Literal["on_treatment", "intention_to_treat"]
Adjustment = Literal["none", "matching", "stratification", "weighting"]
Pooling = Literal["fixed", "random"]
LARGEST_WINDOW_DAYS = 3660


class ProtocolRefused(Exception):
    """The file is not a protocol that can be run; `problems` lists every field at fault with what to do."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))


@dataclass(frozen=True, slots=True)
class ConceptSet:
    """Concepts of one domain. `least_days`: shorter exposures do not count (a steroid course of three days)."""

    name: str
    domain: Domain
    concept_ids: tuple[int, ...]
    descendants: bool
    least_days: int


@dataclass(frozen=True, slots=True)
class Arm:
    label: str
    concept_set: str


@dataclass(frozen=True, slots=True)
class Eligibility:
    """`least_age_years` and `most_age_years` are those at index; windows end on the day before it."""

    least_age_years: int
    most_age_years: int
    observed_days_before: int
    required: tuple[str, ...]
    excluded: tuple[str, ...]
    window_days: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The first record of any of `concept_sets` after index; `clean_days`: without one for so long before it."""

    label: str
    concept_sets: tuple[str, ...]
    clean_days: int


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Days are counted from index; a treatment goes on while its next supply begins within `grace_days`."""

    first_day: int
    last_day: int
    grace_days: int


@dataclass(frozen=True, slots=True)
class SeverityTerm:
    """A covariate that the protocol names: it is hardly penalised, and its balance decides."""

    name: str
    concept_set: str
    kind: TermKind
    window_days: int


@dataclass(frozen=True, slots=True)
class Covariates:
    """Everything recorded in `window_days` before index enters if at least `least_share` of the patients have it."""

    window_days: int
    least_share: float
    severity_terms: tuple[SeverityTerm, ...]


@dataclass(frozen=True, slots=True)
class Propensity:
    """`trim_share`: share of each arm that is cut off where the other has nobody. The caliper is in SD of the logit."""

    trim_share: float
    caliper_sd: float
    most_comparators: int
    strata: int
    largest_weight_percentile: float


@dataclass(frozen=True, slots=True)
class Analysis:
    name: str
    follow_up: FollowUpKind
    adjustment: Adjustment


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What must hold before results are opened."""

    largest_smd: float
    least_equipoise: float
    least_events: int


@dataclass(frozen=True, slots=True)
class Protocol:
    """One study. The first of `analyses` is the primary one. `sha256` is of the file's bytes."""

    id: str
    title: str
    question: str
    concept_sets: Mapping[str, ConceptSet]
    target: Arm
    comparator: Arm
    washout_days: int
    eligibility: Eligibility
    outcome: Outcome
    follow_up: FollowUp
    covariates: Covariates
    propensity: Propensity
    negative_controls: tuple[int, ...]
    negative_control_domain: Domain
    analyses: tuple[Analysis, ...]
    diagnostics: Diagnostics
    smallest_cell: int
    pooling: Pooling
    sha256: str
    text: str

    @property
    def primary(self) -> Analysis:
        return self.analyses[0]


def read_protocol(file: Path) -> Protocol:
    """Raises ProtocolRefused; OSError where the file cannot be read."""
    return parse_protocol(file.read_bytes())


def parse_protocol(content: bytes) -> Protocol:
    """Raises ProtocolRefused with every problem found, not the first alone."""
    try:
        text = content.decode("utf-8")
        raw = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProtocolRefused([FieldProblem("file", f"is not a TOML file in UTF-8: {error}")]) from error
    problems = Problems()
    protocol = _protocol(Fields(raw, "", problems), text, hashlib.sha256(content).hexdigest())
    _check_as_a_whole(protocol, problems)
    if problems.found:
        raise ProtocolRefused(problems.found)
    return protocol


def _protocol(fields: Fields, text: str, sha256: str) -> Protocol:
    sets = {name: _concept_set(name, table) for name, table in fields.tables("concept_sets").items()}
    exposure, eligibility = fields.table("exposure"), fields.table("eligibility")
    outcome, follow_up = fields.table("outcome"), fields.table("follow_up")
    covariates, propensity = fields.table("covariates"), fields.table("propensity", optional=True)
    controls, diagnostics = fields.table("negative_controls"), fields.table("diagnostics", optional=True)
    sharing = fields.table("sharing", optional=True)
    protocol = Protocol(
        id=fields.identifier("id"),
        title=fields.text("title"),
        question=fields.text("question"),
        concept_sets=sets,
        target=_arm(exposure.table("target")),
        comparator=_arm(exposure.table("comparator")),
        washout_days=exposure.whole("washout_days", 1, LARGEST_WINDOW_DAYS),
        eligibility=Eligibility(
            least_age_years=eligibility.whole("least_age_years", 0, 120),
            most_age_years=eligibility.whole("most_age_years", 0, 120),
            observed_days_before=eligibility.whole("observed_days_before", 0, LARGEST_WINDOW_DAYS),
            required=eligibility.names("required"),
            excluded=eligibility.names("excluded"),
            window_days=eligibility.whole("window_days", 1, LARGEST_WINDOW_DAYS),
        ),
        outcome=Outcome(
            label=outcome.text("label"),
            concept_sets=outcome.names("concept_sets", least=1),
            clean_days=outcome.whole("clean_days", 0, LARGEST_WINDOW_DAYS, default=0),
        ),
        follow_up=FollowUp(
            first_day=follow_up.whole("first_day", 0, LARGEST_WINDOW_DAYS),
            last_day=follow_up.whole("last_day", 1, LARGEST_WINDOW_DAYS),
            grace_days=follow_up.whole("grace_days", 0, 366),
        ),
        covariates=Covariates(
            window_days=covariates.whole("window_days", 1, LARGEST_WINDOW_DAYS),
            least_share=covariates.number("least_share", 0, 0.5, default=0.005),
            severity_terms=tuple(_severity_term(table) for table in covariates.list_of_tables("severity_terms")),
        ),
        propensity=Propensity(
            trim_share=propensity.number("trim_share", 0, 0.2, default=0.005),
            caliper_sd=propensity.number("caliper_sd", 0.01, 1, default=0.2),
            most_comparators=propensity.whole("most_comparators", 1, 100, default=1),
            strata=propensity.whole("strata", 2, 100, default=10),
            largest_weight_percentile=propensity.number("largest_weight_percentile", 90, 100, default=99),
        ),
        negative_controls=controls.whole_numbers("concept_ids", least=1),
        negative_control_domain=controls.choice("domain", get_args(Domain), default="condition"),
        analyses=tuple(_analysis(table) for table in fields.list_of_tables("analyses", least=1)),
        diagnostics=Diagnostics(
            largest_smd=diagnostics.number("largest_smd", 0.01, 1, default=0.1),
            least_equipoise=diagnostics.number("least_equipoise", 0, 1, default=0.5),
            least_events=diagnostics.whole("least_events", 1, 10**6, default=20),
        ),
        smallest_cell=sharing.whole("smallest_cell", 5, 100, default=5),
        pooling=sharing.choice("pooling", get_args(Pooling), default="fixed"),
        sha256=sha256,
        text=text,
    )
    fields.refuse_the_rest()
    return protocol


def _concept_set(name: str, fields: Fields) -> ConceptSet:
    return ConceptSet(
        name=name,
        domain=fields.choice("domain", tuple(EVENT_COLUMNS)),
        concept_ids=fields.whole_numbers("concept_ids", least=1),
        descendants=fields.flag("descendants", default=False),
        least_days=fields.whole("least_days", 1, 366, default=1),
    )


def _arm(fields: Fields) -> Arm:
    return Arm(label=fields.text("label"), concept_set=fields.text("concept_set"))


def _severity_term(fields: Fields) -> SeverityTerm:
    return SeverityTerm(
        name=fields.text("name"),
        concept_set=fields.text("concept_set"),
        kind=fields.choice("kind", get_args(TermKind)),
        window_days=fields.whole("window_days", 1, LARGEST_WINDOW_DAYS, default=365),
    )


def _analysis(fields: Fields) -> Analysis:
    return Analysis(
        name=fields.identifier("name"),
        follow_up=fields.choice("follow_up", get_args(FollowUpKind)),
        adjustment=fields.choice("adjustment", get_args(Adjustment)),
    )


def _check_as_a_whole(protocol: Protocol, problems: Problems) -> None:
    """What no field alone shows: windows that contradict each other, names that stand for nothing."""
    sets, eligibility = protocol.concept_sets, protocol.eligibility

    def known(field: str, name: str, domain: str | None = None) -> None:
        if name and name not in sets:
            there = ", ".join(sorted(sets)) or "none"
            problems.add(field, f"names the concept set “{name}”, which [concept_sets] does not define; there: {there}")
        elif name and domain and sets[name].domain != domain:
            problems.add(field, f"needs a concept set of domain {domain}; “{name}” is of {sets[name].domain}")

    known("exposure.target.concept_set", protocol.target.concept_set, "drug")
    known("exposure.comparator.concept_set", protocol.comparator.concept_set, "drug")
    for place, name in enumerate(eligibility.required):
        known(f"eligibility.required[{place}]", name)
    for place, name in enumerate(eligibility.excluded):
        known(f"eligibility.excluded[{place}]", name)
    for place, name in enumerate(protocol.outcome.concept_sets):
        known(f"outcome.concept_sets[{place}]", name)
    for place, term in enumerate(protocol.covariates.severity_terms):
        known(f"covariates.severity_terms[{place}].concept_set", term.concept_set)
        valued = term.concept_set not in sets or sets[term.concept_set].domain in ("measurement", "observation")
        if term.kind == "last_value" and not valued:
            problems.add(f"covariates.severity_terms[{place}].kind", "last_value needs measurements or observations")
        if term.window_days > eligibility.observed_days_before:
            problems.add(
                f"covariates.severity_terms[{place}].window_days",
                f"looks {term.window_days} days back, but only {eligibility.observed_days_before} days of observation "
                "are required (eligibility.observed_days_before)",
            )
    target, comparator = protocol.target.concept_set, protocol.comparator.concept_set
    if target in sets and comparator in sets:
        shared = set(sets[target].concept_ids) & set(sets[comparator].concept_ids)
        if shared:
            problems.add("exposure", f"target and comparator share the concepts {sorted(shared)}; nobody could be told")
    if protocol.washout_days > eligibility.observed_days_before:
        problems.add(
            "exposure.washout_days",
            f"is {protocol.washout_days}, longer than the {eligibility.observed_days_before} days of observation that "
            "eligibility.observed_days_before asks for: nobody could be shown to be a new user",
        )
    for field, days in (
        ("eligibility.window_days", eligibility.window_days),
        ("outcome.clean_days", protocol.outcome.clean_days),
        ("covariates.window_days", protocol.covariates.window_days),
    ):
        if days > eligibility.observed_days_before:
            problems.add(
                field, f"is {days}, longer than the {eligibility.observed_days_before} days of observation required"
            )
    if protocol.follow_up.last_day <= protocol.follow_up.first_day:
        problems.add(
            "follow_up.last_day",
            f"is {protocol.follow_up.last_day}, not after follow_up.first_day ({protocol.follow_up.first_day}): "
            "the window is empty",
        )
    if eligibility.most_age_years < eligibility.least_age_years:
        problems.add("eligibility.most_age_years", "is below least_age_years: nobody is of that age")
    names = [analysis.name for analysis in protocol.analyses]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.add("analyses", f"has two analyses of the name “{name}”")
    outcome_ids = {
        concept for name in protocol.outcome.concept_sets if name in sets for concept in sets[name].concept_ids
    }
    for concept in sorted(outcome_ids & set(protocol.negative_controls)):
        problems.add("negative_controls.concept_ids", f"holds {concept}, which is part of the outcome")


def shown(protocol: Protocol) -> dict[str, Any]:
    """The protocol's facts for a report, without its text."""
    return {
        "id": protocol.id,
        "title": protocol.title,
        "question": protocol.question,
        "sha256": protocol.sha256,
        "target": protocol.target.label,
        "comparator": protocol.comparator.label,
        "outcome": protocol.outcome.label,
        "primary": protocol.primary.name,
    }
