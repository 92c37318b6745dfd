"""What the plan editor starts from: the plan in force, or an offered change, with nothing guessed."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlmodel import Session, col, select

from backend.accounts.tables import Hospital
from backend.clinical.guideline import edition
from backend.clinical.ladder import Track, rungs
from backend.clinical.medicines import Regimen
from backend.clinical.peak_flow import PeakFlowReading, ZoneThresholds, thresholds_from_personal_best
from backend.clinical.personal_best import BestBasis, PersonalBest, assess_personal_best
from backend.clinical.predicted_peak_flow import CannotPredict, PredictedPeakFlow, Sex, fallback_prediction
from backend.diary.tables import PeakFlow
from backend.medication.schemas import RegimenIn
from backend.patients.age import age_years
from backend.patients.tables import Patient
from backend.plans.draft import OralSteroidIn, OwnSentences
from backend.plans.store import plan_in_force, regimen_of
from backend.plans.tables import ActionPlan
from backend.recommendations.errors import OptionNotOffered
from backend.recommendations.schemas import OptionOut
from backend.recommendations.store import open_recommendation


class StartingPoint(BaseModel):
    """A draft to complete. Null where nothing is known that could stand there.

    `higher_best_litres_per_min`: the diary shows a better personal best than the plan's; it is offered, not taken.
    """

    based_on_version: int
    personal_best_litres_per_min: int | None
    personal_best_basis: BestBasis
    higher_best_litres_per_min: int | None
    meter: str
    yellow_below_litres_per_min: int | None
    red_below_litres_per_min: int | None
    regimen: RegimenIn | None
    oral_steroid: OralSteroidIn | None
    extra_instructions: OwnSentences
    review_on: date
    option: str | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "based_on_version": 1,
                    "personal_best_litres_per_min": 450,
                    "personal_best_basis": "measured",
                    "higher_best_litres_per_min": 480,
                    "meter": "Mini-Wright",
                    "yellow_below_litres_per_min": 360,
                    "red_below_litres_per_min": 225,
                    "regimen": {
                        "prescriptions": [
                            {
                                "product_id": "budesonide_formoterol_200_6_dpi",
                                "use": "maintenance_and_reliever",
                                "inhalations": 1,
                                "times_a_day": 2,
                                "most_inhalations_a_day": None,
                            }
                        ],
                        "add_ons": [],
                    },
                    "oral_steroid": None,
                    "extra_instructions": {"green": [], "yellow": ["측정기를 가져오세요."], "red": []},
                    "review_on": "2027-02-18",
                    "option": "up:T1.3",
                }
            ]
        }
    )


def starting_point(session: Session, patient: Patient, option: str | None, *, now: datetime) -> StartingPoint:
    """Raises OptionNotOffered for an option that the open recommendation does not hold."""
    plan = plan_in_force(session, patient.id)
    today = now.astimezone(ZoneInfo(patient.time_zone)).date()
    chosen = None if option is None else _offered(session, patient, option)
    best, higher = _personal_best(session, patient, plan, today)
    lines = None if best is None else thresholds_from_personal_best(best.litres_per_min)
    regimen = _first_regimen(patient, today) if plan is None else regimen_of(plan)
    written = RegimenIn.of(regimen) if regimen is not None else None
    return StartingPoint(
        based_on_version=0 if plan is None else plan.version,
        personal_best_litres_per_min=None if best is None else best.litres_per_min,
        personal_best_basis=BestBasis.CLINICIAN if best is None else best.basis,
        higher_best_litres_per_min=higher,
        meter="" if best is None else best.meter,
        yellow_below_litres_per_min=_line(plan or lines, "yellow"),
        red_below_litres_per_min=_line(plan or lines, "red"),
        regimen=chosen.regimen if chosen is not None else written,
        oral_steroid=None if plan is None or plan.oral_steroid is None else OralSteroidIn(**plan.oral_steroid),
        extra_instructions=OwnSentences() if plan is None else OwnSentences.model_validate(plan.extra_instructions),
        review_on=today + timedelta(days=_review_in_days(chosen)),
        option=option,
    )


def _line(known: ActionPlan | ZoneThresholds | None, colour: str) -> int | None:
    return None if known is None else int(getattr(known, f"{colour}_below_litres_per_min"))


def _offered(session: Session, patient: Patient, option: str) -> OptionOut:
    standing = open_recommendation(session, patient.id)
    for one in standing.options if standing is not None else []:
        if one["code"] == option and one["regimen"] is not None:
            return OptionOut.model_validate(one)
    raise OptionNotOffered


def _review_in_days(chosen: OptionOut | None) -> int:
    if chosen is not None and chosen.review_within_days is not None:
        return chosen.review_within_days[1]
    return int(edition().numbers("steps.review_after_change")[1])


def _personal_best(
    session: Session, patient: Patient, plan: ActionPlan | None, today: date
) -> tuple[PersonalBest | None, int | None]:
    """The plan's, else the diary's, else the predicted value; and what the diary shows above the plan's."""
    # Three columns: a diary of years as whole rows took most of the page's time.
    found = session.exec(
        select(col(PeakFlow.local_date), col(PeakFlow.litres_per_min), col(PeakFlow.meter))
        .where(PeakFlow.patient_id == patient.id, col(PeakFlow.deleted).is_(False))
        .order_by(col(PeakFlow.taken_at))
    )
    readings = [PeakFlowReading(on, litres or 0, meter or "", morning=False) for on, litres, meter in found]
    if plan is not None:
        current = PersonalBest(
            plan.personal_best_litres_per_min,
            plan.meter,
            BestBasis(plan.personal_best_basis),
            plan.signed_at.astimezone(ZoneInfo(patient.time_zone)).date(),
        )
        risen = assess_personal_best(readings, plan.meter, today, current).best
        if risen is None or risen.litres_per_min <= current.litres_per_min:
            return current, None
        return current, risen.litres_per_min
    meter = readings[-1].meter if readings else ""
    predicted = predicted_for(session, patient, today)
    value = None if predicted is None else predicted.litres_per_min
    return assess_personal_best(readings, meter, today, None, value).best, None


def predicted_for(session: Session, patient: Patient, today: date) -> PredictedPeakFlow | None:
    """By the equation that covers the person; None where age, height or sex is not known, or none covers them."""
    if patient.born_on is None or patient.height_cm is None or patient.sex not in set(Sex):
        return None
    country = session.get_one(Hospital, patient.hospital_id).country
    years = age_years(patient.born_on, today)
    try:
        return fallback_prediction(Sex(patient.sex), years, patient.height_cm, patient.weight_kg, country)
    except CannotPredict:
        return None


def _first_regimen(patient: Patient, today: date) -> Regimen | None:
    """For a first plan, the formulary's treatment of the step that was told at enrolment; a doctor completes it."""
    if patient.born_on is None or patient.treatment_step is None:
        return None
    years = int(age_years(patient.born_on, today))
    adult = years >= edition().number("steps.adult_from")
    track = Track.ONE if adult else Track.TWO
    preferred = edition().codes("steps.preferred_products")
    found = [
        rung.regimen
        for rung in rungs(years)
        if rung.step.track is track
        and rung.step.number == max(patient.treatment_step, 2)
        and rung.regimen.prescriptions[0].product_id in preferred
    ]
    return min(found, key=lambda one: preferred.index(one.prescriptions[0].product_id), default=None)
