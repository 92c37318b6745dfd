"""What is shown beside an alert: what to do, how often such an alert came true here, and who was asked about it."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.alerts.store import track_records
from backend.alerts.tables import Alert, SnoozedBy
from backend.dashboard.alert_care_schemas import AlertCareOut, TrackRecordOut
from backend.dashboard.translations import translator
from backend.notifications.wording import ALERTS_NEEDED_TO_SAY, TrackRecord


def care_of(session: Session, alerts: Sequence[Alert], hospital_id: UUID, language: str) -> dict[UUID, AlertCareOut]:
    """For alerts of one hospital's patients, by the alert's id; two statements for any number of them."""
    if not alerts:
        return {}
    records = track_records(session, hospital_id)
    asked = {alert.second_clinician_id for alert in alerts if alert.second_clinician_id is not None}
    names: dict[UUID, str] = {}
    if asked:
        names = dict(session.exec(select(Clinician.id, Clinician.name).where(col(Clinician.id).in_(asked))).all())
    t = translator(language)
    return {
        alert.id: AlertCareOut(
            to_do=t(f"alert.do.{alert.cause}"),
            track_record=track_record_out(records.get((alert.level, alert.cause)), language),
            snoozed_until=alert.snoozed_until,
            snoozed_by=SnoozedBy(alert.snoozed_by) if alert.snoozed_by else None,
            second_asked_at=alert.second_asked_at,
            second_clinician=names.get(alert.second_clinician_id) if alert.second_clinician_id else None,
            emailed_at=alert.emailed_at,
        )
        for alert in alerts
    }


def track_record_out(record: TrackRecord | None, language: str) -> TrackRecordOut:
    t = translator(language)
    record = record or TrackRecord(0, 0)
    if record.alerts < ALERTS_NEEDED_TO_SAY:
        text = t("alert.came_true.too_few", alerts=record.alerts, needed=ALERTS_NEEDED_TO_SAY)
    elif record.one_in is None:
        text = t("alert.came_true.none", alerts=record.alerts)
    else:
        text = t("alert.came_true.one_in", one_in=record.one_in, came_true=record.came_true, alerts=record.alerts)
    return TrackRecordOut(alerts=record.alerts, came_true=record.came_true, text=text)
