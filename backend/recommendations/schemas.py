"""What a clinician is shown of a patient's treatment, as it is also kept with each recommendation."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from backend.clinical.adherence import AdherenceClass
from backend.clinical.biologics import Biomarker
from backend.clinical.control import ControlClass, Criterion
from backend.clinical.regimen_checks import Weight
from backend.clinical.reliever import CeilingStatus, RelieverBurst, RelieverOveruse
from backend.clinical.risk_factors import RiskFactor
from backend.clinical.treatment_steps import Against, Direction, RelapseSign, Silence
from backend.medication.schemas import RegimenIn
from backend.plans.draft import PlanDraft
from backend.recommendations.advisor import AdviceStatus
from backend.recommendations.rules import CheckCode
from backend.recommendations.tables import RecommendationState, Verdict

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=1000)]


class AnswersOut(BaseModel):
    """`days_yes` of the `days_answered` of the last four weeks; a day without an answer counts as neither.

    `from_check_on`: the diary is too thin, and `holds` is what the patient answered to the four questions that day.
    """

    criterion: Criterion
    days_yes: int
    days_answered: int
    holds: bool | None
    from_check_on: date | None = None


class ControlOut(BaseModel):
    control_class: ControlClass
    answers: list[AnswersOut]
    well_controlled_days: int | None
    source: str


class AdherenceOut(BaseModel):
    """Fractions 0 to 1. `fraction_taken` is over logged days alone; `at_least` takes unlogged days for missed."""

    adherence_class: AdherenceClass
    fraction_taken: float | None
    at_least: float | None
    days_logged: int
    days_not_logged: int
    days_not_taken: int
    as_needed_ics_days: int | None
    as_needed_ics_micrograms_a_day: float | None
    source: str


class CeilingDayOut(BaseModel):
    """The day of the last two weeks with the most inhalations of the reliever inhaler, daily doses included."""

    on: date
    inhalations: int
    status: CeilingStatus


class RelieverOut(BaseModel):
    burst: RelieverBurst
    overuse: RelieverOveruse
    saba_canisters_a_year: float | None
    # Absent in recommendations made before it was told.
    ceiling: CeilingDayOut | None = None


class RiskOut(BaseModel):
    factor: RiskFactor
    life_threatening: bool
    source: str


class FindingOut(BaseModel):
    code: str
    weight: Weight
    message: str
    source: str


class StepDownOut(BaseModel):
    eligible: bool
    against: list[Against]
    sources: list[str]


class PictureOut(BaseModel):
    """`step` reads like T1.3: track and step of the treatment ladder."""

    as_of: date
    regimen: RegimenIn
    step: str | None
    control: ControlOut
    adherence: AdherenceOut
    reliever: RelieverOut
    severe_attacks_last_year: int | None
    last_severe_attack_on: date | None
    # From when to when the newest severe attack asks for a visit, while that time is not over.
    attack_review: tuple[date, date] | None = None
    risks: list[RiskOut]
    relapse: list[RelapseSign]
    findings: list[FindingOut]
    step_down: StepDownOut
    silence: Silence | None
    edition: str


class IntervalOut(BaseModel):
    """Expected value, and the 10th and 90th percentile."""

    expected: float
    low: float
    high: float


class BenefitOut(BaseModel):
    """Against the present treatment, in a year."""

    attacks_averted: IntervalOut
    controlled_days_gained: IntervalOut
    ics_micrograms_per_day_change: float
    probability_best: float


class OptionOut(BaseModel):
    """One legal change. `against` are codes of what speaks against it; `needs_checklist` before it can be signed.

    `measure_first`: biomarkers that the choice of a biologic waits for; only of a referral.
    """

    code: str
    direction: Direction
    step: str | None
    regimen: RegimenIn | None
    ics_change_percent: float | None
    needs_checklist: bool
    review_within_days: tuple[int, int] | None
    watch: list[RelapseSign]
    way_back: RegimenIn | None
    measure_first: list[Biomarker] = []
    against: list[str]
    cautions: list[FindingOut]
    benefit: BenefitOut | None
    preferred: bool
    sources: list[str]


class PreActionOut(BaseModel):
    code: str
    measured: bool
    attacks_averted: IntervalOut | None
    controlled_days_gained: IntervalOut | None


class AdviceOut(BaseModel):
    """How the options were put in order: by the model named here, or by the rules alone, and why."""

    status: AdviceStatus
    preferred: str | None
    pre_actions: list[PreActionOut]
    missing: list[str]
    attacks_per_year: IntervalOut | None
    model_id: str | None
    model_version: str | None


class RecommendationOut(BaseModel):
    id: UUID
    made_at: datetime
    as_of: date
    state: RecommendationState
    plan_version: int
    reasons: list[str]
    picture: PictureOut
    options: list[OptionOut]
    advice: AdviceOut
    edition: str
    closed_at: datetime | None
    expired_because: str | None
    reason: str | None
    chosen_code: str | None
    signed_version: int | None
    quiet_until: date | None


class WindowOut(BaseModel):
    """A stretch of diary. Null where nothing of the kind was recorded."""

    first_day: date
    last_day: date
    diary_days: int
    controlled_days: int
    reliever_puffs_a_day: float | None
    nights_woken: int | None
    mean_peak_flow_litres_per_min: int | None
    severe_attacks: int
    controller_taken: float | None
    control_class: ControlClass


class ReviewOut(BaseModel):
    """`promised` is the benefit that was expected of what was signed; null where the rules alone had spoken."""

    plan_version: int
    direction: Direction
    due_on: date
    before: WindowOut
    after: WindowOut | None
    promised: BenefitOut | None
    ready_at: datetime | None
    verdict: Verdict | None
    note: str | None
    reviewed_at: datetime | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "plan_version": 2,
                    "direction": "up",
                    "due_on": "2027-02-18",
                    "before": {
                        "first_day": "2026-10-24",
                        "last_day": "2026-11-20",
                        "diary_days": 28,
                        "controlled_days": 12,
                        "reliever_puffs_a_day": 1.7,
                        "nights_woken": 8,
                        "mean_peak_flow_litres_per_min": 376,
                        "severe_attacks": 0,
                        "controller_taken": 0.93,
                        "control_class": "uncontrolled",
                    },
                    "after": {
                        "first_day": "2027-01-22",
                        "last_day": "2027-02-18",
                        "diary_days": 28,
                        "controlled_days": 26,
                        "reliever_puffs_a_day": 0.2,
                        "nights_woken": 0,
                        "mean_peak_flow_litres_per_min": 427,
                        "severe_attacks": 0,
                        "controller_taken": 0.93,
                        "control_class": "well_controlled",
                    },
                    "promised": {
                        "attacks_averted": {"expected": 0.11, "low": 0.01, "high": 0.25},
                        "controlled_days_gained": {"expected": 77, "low": 38, "high": 121},
                        "ics_micrograms_per_day_change": 360,
                        "probability_best": 0.96,
                    },
                    "ready_at": "2027-02-18T15:00:00Z",
                    "verdict": "keep",
                    "note": "Sleeps through again.",
                    "reviewed_at": "2027-02-19T01:30:00Z",
                }
            ]
        }
    )


class CheckAnswer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: CheckCode
    holds: bool
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = None


class ChecksIn(BaseModel):
    """For the checklist `holds` is "in order"; for circumstances and risk factors it is "present"."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "answers": [
                        {"code": "technique", "holds": True, "note": "Watched with a placebo inhaler."},
                        {"code": "infection_now", "holds": False, "note": None},
                    ]
                }
            ]
        },
    )

    answers: Annotated[list[CheckAnswer], Field(min_length=1, max_length=len(CheckCode))]


class CheckOut(BaseModel):
    """`stands` is false once the answer is too old to count."""

    code: CheckCode
    holds: bool
    note: str | None
    checked_at: datetime
    stands: bool


class SignatureIn(BaseModel):
    """The draft as checked, the signer's password once more, and why.

    `recommendation_id` and `option` name what it answers. `despite_checklist` signs a step up although an item of the
    checklist was found not in order.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "draft": PlanDraft.model_config["json_schema_extra"]["examples"][0],  # type: ignore[index]
                    "password": "a long enough password",
                    "reason": "Uncontrolled for three months, technique checked today.",
                    "recommendation_id": "0b8a1f0e-7a07-4a1c-9a5d-5f1f0f6f6f11",
                    "option": "up:T1.3",
                    "despite_checklist": False,
                }
            ]
        },
    )

    draft: PlanDraft
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    reason: Reason
    recommendation_id: UUID | None = None
    option: Annotated[str, StringConstraints(max_length=40)] | None = None
    despite_checklist: bool = False


class RejectionIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "recommendation_id": "0b8a1f0e-7a07-4a1c-9a5d-5f1f0f6f6f11",
                    "reason": "Moves house next week; we look at it again in January.",
                }
            ]
        },
    )

    recommendation_id: UUID
    reason: Reason


class VerdictIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"plan_version": 2, "verdict": "keep", "note": "Sleeps through again."}]},
    )

    plan_version: Annotated[int, Field(ge=1)]
    verdict: Verdict
    note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)] | None = None
