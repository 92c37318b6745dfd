"""Before and after a signed change: what happened, beside what had been expected."""

from datetime import date, datetime, timedelta

from sqlmodel import Session, col, select

from backend.clinical.control import assess_control, four_weeks
from backend.recommendations.picture import diary_day, severe_episodes_between
from backend.recommendations.records import Records
from backend.recommendations.schemas import WindowOut
from backend.recommendations.tables import OutcomeReview

# The same length before and after, so that the two can be laid side by side.
WINDOW = timedelta(days=90)


def window(records: Records, first_day: date, last_day: date) -> WindowOut:
    """The diary from `first_day` to `last_day`, both included."""
    days = [day for day in records.days if first_day <= day.on <= last_day]
    puffs = [day.reliever_puffs for day in days if day.reliever_puffs is not None]
    nights = [day.night_waking for day in days if day.night_waking is not None]
    flows = [day.best_litres_per_min for day in days if day.best_litres_per_min is not None]
    taken = [day.controller_fraction for day in days if day.controller_fraction is not None]
    regimen = records.regimen
    formoterol = regimen is not None and regimen.reliever_is_ics_formoterol
    return WindowOut(
        first_day=first_day,
        last_day=last_day,
        diary_days=sum(1 for day in days if day.controlled is not None),
        controlled_days=sum(1 for day in days if day.controlled),
        reliever_puffs_a_day=sum(puffs) / len(puffs) if puffs else None,
        nights_woken=sum(nights) if nights else None,
        mean_peak_flow_litres_per_min=round(sum(flows) / len(flows)) if flows else None,
        severe_attacks=len(severe_episodes_between(records, first_day, last_day)),
        controller_taken=sum(taken) / len(taken) if taken else None,
        control_class=assess_control(four_weeks([diary_day(day) for day in days], last_day, formoterol)).control_class,
    )


def window_before(records: Records, day: date) -> WindowOut:
    return window(records, day - WINDOW, day - timedelta(days=1))


def finish_due(session: Session, records: Records, today: date, now: datetime) -> int:
    """Fill in what came after, for each review whose day has come; how many."""
    due = session.exec(
        select(OutcomeReview).where(
            OutcomeReview.patient_id == records.patient.id,
            OutcomeReview.due_on <= today,
            col(OutcomeReview.ready_at).is_(None),
        )
    ).all()
    signed = {plan.version: records.local_day(plan.signed_at) for plan in records.plans}
    for review in due:
        began = signed[review.plan_version]
        # The next version ends what this one can be judged by.
        next_signed = min((day for version, day in signed.items() if version > review.plan_version), default=today)
        last_day = max(min(next_signed, review.due_on, today) - timedelta(days=1), began)
        review.after = window(records, began, last_day).model_dump(mode="json")
        review.ready_at = now
        session.add(review)
    session.flush()
    return len(due)
