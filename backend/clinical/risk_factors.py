"""Risk factors for an attack, present even with few symptoms; unknown is never taken for absent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from backend.clinical.control import ControlClass
from backend.clinical.guideline import Guideline, edition
from backend.clinical.medicines import DoseBand


class RiskFactor(StrEnum):
    UNCONTROLLED_SYMPTOMS = "uncontrolled_symptoms"
    HIGH_SABA_USE = "high_saba_use"
    NO_ICS = "no_ics"
    POOR_ADHERENCE = "poor_adherence"
    WRONG_TECHNIQUE = "wrong_technique"
    OBESITY = "obesity"
    RHINOSINUSITIS = "rhinosinusitis"
    REFLUX = "reflux"
    FOOD_ALLERGY = "food_allergy"
    PREGNANCY = "pregnancy"
    SMOKING_OR_VAPING = "smoking_or_vaping"
    ALLERGEN_EXPOSURE = "allergen_exposure"
    AIR_POLLUTION = "air_pollution"
    PSYCHOSOCIAL_PROBLEMS = "psychosocial_problems"
    LOW_FEV1 = "low_fev1"
    HIGH_REVERSIBILITY = "high_reversibility"
    HIGH_EOSINOPHILS = "high_eosinophils"
    EVER_INTENSIVE_CARE = "ever_intensive_care"
    SEVERE_ATTACK_LAST_YEAR = "severe_attack_last_year"
    VERY_HIGH_SABA_USE = "very_high_saba_use"
    FREQUENT_ADMISSIONS = "frequent_admissions"
    FREQUENT_EMERGENCY_VISITS = "frequent_emergency_visits"
    RECENT_ADMISSION_OR_EMERGENCY = "recent_admission_or_emergency"
    NO_ACTION_PLAN = "no_action_plan"


LIFE_THREATENING = frozenset(
    {
        RiskFactor.EVER_INTENSIVE_CARE,
        RiskFactor.VERY_HIGH_SABA_USE,
        RiskFactor.FREQUENT_ADMISSIONS,
        RiskFactor.FREQUENT_EMERGENCY_VISITS,
        RiskFactor.RECENT_ADMISSION_OR_EMERGENCY,
        RiskFactor.NO_ACTION_PLAN,
    }
)


@dataclass(frozen=True)
class RiskPicture:
    """What is known of a patient; None = unknown. `reported` holds factors that a clinician ticked."""

    control: ControlClass | None = None
    saba_canisters_a_year: float | None = None
    takes_ics: bool | None = None
    ics_band: DoseBand | None = None
    proportion_of_days_covered: float | None = None
    technique_correct: bool | None = None
    fev1_percent_predicted: float | None = None
    eosinophils_per_microlitre: float | None = None
    severe_attacks_last_year: int | None = None
    admissions_last_year: int | None = None
    emergency_visits_last_year: int | None = None
    days_since_admission_or_emergency: int | None = None
    ever_intensive_care: bool | None = None
    has_action_plan: bool | None = None
    reported: frozenset[RiskFactor] = frozenset()


@dataclass(frozen=True)
class FoundRisk:
    factor: RiskFactor
    life_threatening: bool
    source: str


def find_risk_factors(picture: RiskPicture, guideline: Guideline | None = None) -> list[FoundRisk]:
    """The factors that the picture shows, in the order of `RiskFactor`."""
    guideline = guideline or edition()

    def at_least(value: float | None, key: str) -> bool:
        return value is not None and value >= guideline.number(key)

    def below(value: float | None, key: str) -> bool:
        return value is not None and value < guideline.number(key)

    recent = picture.days_since_admission_or_emergency
    medium_or_more = picture.ics_band is not None and picture.ics_band.rank >= DoseBand.MEDIUM.rank
    rules: dict[RiskFactor, tuple[bool, str]] = {
        RiskFactor.UNCONTROLLED_SYMPTOMS: (
            picture.control is ControlClass.UNCONTROLLED,
            "control.uncontrolled_from",
        ),
        RiskFactor.HIGH_SABA_USE: (
            at_least(picture.saba_canisters_a_year, "risk.canisters_a_year"),
            "risk.canisters_a_year",
        ),
        RiskFactor.NO_ICS: (picture.takes_ics is False, "risk.severe_attacks_a_year_from"),
        RiskFactor.POOR_ADHERENCE: (
            below(picture.proportion_of_days_covered, "risk.poor_adherence_below"),
            "risk.poor_adherence_below",
        ),
        RiskFactor.WRONG_TECHNIQUE: (picture.technique_correct is False, "risk.severe_attacks_a_year_from"),
        RiskFactor.LOW_FEV1: (
            below(picture.fev1_percent_predicted, "risk.fev1_percent_predicted_below"),
            "risk.fev1_percent_predicted_below",
        ),
        RiskFactor.HIGH_EOSINOPHILS: (
            medium_or_more and at_least(picture.eosinophils_per_microlitre, "risk.eosinophils_per_microlitre_from"),
            "risk.eosinophils_per_microlitre_from",
        ),
        RiskFactor.EVER_INTENSIVE_CARE: (picture.ever_intensive_care is True, "risk.severe_attacks_a_year_from"),
        RiskFactor.SEVERE_ATTACK_LAST_YEAR: (
            at_least(picture.severe_attacks_last_year, "risk.severe_attacks_a_year_from"),
            "risk.severe_attacks_a_year_from",
        ),
        RiskFactor.VERY_HIGH_SABA_USE: (
            at_least(picture.saba_canisters_a_year, "risk.canisters_a_year_life_threatening"),
            "risk.canisters_a_year_life_threatening",
        ),
        RiskFactor.FREQUENT_ADMISSIONS: (
            at_least(picture.admissions_last_year, "risk.admissions_a_year_life_threatening"),
            "risk.admissions_a_year_life_threatening",
        ),
        RiskFactor.FREQUENT_EMERGENCY_VISITS: (
            at_least(picture.emergency_visits_last_year, "risk.emergency_visits_a_year_life_threatening"),
            "risk.emergency_visits_a_year_life_threatening",
        ),
        RiskFactor.RECENT_ADMISSION_OR_EMERGENCY: (
            recent is not None and recent <= guideline.number("risk.recent_admission_or_emergency_within"),
            "risk.recent_admission_or_emergency_within",
        ),
        RiskFactor.NO_ACTION_PLAN: (picture.has_action_plan is False, "risk.admissions_a_year_life_threatening"),
    }
    return [
        FoundRisk(factor, factor in LIFE_THREATENING, guideline.citation(key))
        for factor in RiskFactor
        for present, key in [rules.get(factor, (False, "risk.severe_attacks_a_year_from"))]
        if present or factor in picture.reported
    ]
