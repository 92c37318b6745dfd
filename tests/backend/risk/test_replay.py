from datetime import UTC, datetime, timedelta

from sqlmodel import Session, col, select

from backend.alerts.tables import Alert
from backend.core.due import DueWork
from backend.notifications.tables import InboxMessage
from backend.risk import service
from backend.risk.replay import replay_alerts
from tests.factories import clinic, entries

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)  # noon in Seoul
DAY = timedelta(days=1)


def alerts(session: Session) -> list[Alert]:
    return list(session.exec(select(Alert).order_by(col(Alert.triggered_at))).all())


def test_an_imported_diary_gets_the_alerts_its_days_would_have_had(session: Session) -> None:
    patient = clinic.patient(session, clinic.hospital(session), now=NOW)
    for back in range(20):
        red = back in {3, 12}
        entries.peak_flow(
            session, patient, 200 if red else 480, taken_at=NOW - back * DAY, action_zone="red" if red else "green"
        )
    today = NOW.date()
    service.assess_history(session, None, [patient.id], today - 19 * DAY, today - DAY, now=NOW)
    assert replay_alerts(session, [patient.id], NOW) == 1
    first, second = alerts(session)
    # Midnight in Seoul is 15:00 UTC.
    assert first.triggered_at == (NOW - 12 * DAY).replace(hour=15)
    assert (first.resolved_because, second.resolved_because) == ("recovered", "recovered")
    assert session.exec(select(InboxMessage)).all() == []
    assert replay_alerts(session, [patient.id], NOW) == 0


def test_of_an_alert_that_is_still_open_the_patient_is_told_now(session: Session) -> None:
    patient = clinic.patient(session, clinic.hospital(session), now=NOW)
    entries.peak_flow(session, patient, 200, taken_at=NOW - 4 * DAY, action_zone="red")
    today = NOW.date()
    service.assess_history(session, None, [patient.id], today - 9 * DAY, today - DAY, now=NOW)
    replay_alerts(session, [patient.id], NOW)
    (alert,) = alerts(session)
    assert (alert.state, alert.triggered_at) == ("triggered", (NOW - 4 * DAY).replace(hour=15))
    message = session.exec(select(InboxMessage)).one()
    assert (message.alert_id, message.created_at) == (alert.id, NOW)
    due = session.exec(select(DueWork).where(DueWork.kind == "assess")).one()
    assert due.key == patient.id


def test_a_patient_with_alerts_keeps_them_as_they_are(session: Session) -> None:
    patient = clinic.patient(session, clinic.hospital(session), now=NOW)
    entries.peak_flow(session, patient, 200, taken_at=NOW - 4 * DAY, action_zone="red")
    entries.mark_for_assessment(session, patient, now=NOW)
    service.assess_due(
        lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False),
        None,
        NOW,
    )
    before = [(alert.id, alert.triggered_at) for alert in alerts(session)]
    assert len(before) == 1
    service.assess_history(session, None, [patient.id], NOW.date() - 9 * DAY, NOW.date() - DAY, now=NOW)
    assert replay_alerts(session, [patient.id], NOW) == 0
    assert [(alert.id, alert.triggered_at) for alert in alerts(session)] == before
