from sqlmodel import Session, col, select

from backend.core.errors import NotFound
from backend.patients import service, store
from backend.patients.tables import CareRelation, Consent, Patient, Purpose
from tests.conftest import SettableClock
from tests.factories import clinic


def seen_by(session: Session, clinician: object) -> set[object]:
    return set(session.exec(select(Patient.id).where(store.visible_to(clinician))).all())  # type: ignore[arg-type]


def test_a_clinician_sees_only_patients_in_an_open_care_relation(session: Session, clock: SettableClock) -> None:
    seoul, tallinn = clinic.hospital(session), clinic.hospital(session)
    kim = clinic.clinician(session, seoul, now=clock.now)
    colleague = clinic.clinician(session, seoul, now=clock.now)
    mine = clinic.patient(session, seoul, now=clock.now, cared_for_by=kim)
    clinic.patient(session, seoul, now=clock.now, cared_for_by=colleague)
    clinic.patient(session, seoul, now=clock.now)
    elsewhere = clinic.patient(session, tallinn, now=clock.now, cared_for_by=kim)

    assert seen_by(session, kim) == {mine.id}
    assert store.visible_patient(session, kim, mine.id).id == mine.id
    for hidden in (elsewhere.id, kim.id):
        try:
            store.visible_patient(session, kim, hidden)
        except NotFound:
            continue
        raise AssertionError("a patient of another hospital was shown")

    relation = session.exec(select(CareRelation).where(CareRelation.patient_id == mine.id)).one()
    relation.ended_at = clock.now
    session.flush()
    assert seen_by(session, kim) == set()


def test_consents_form_a_ledger_that_keeps_withdrawals(session: Session, clock: SettableClock) -> None:
    minji = clinic.patient(session, clinic.hospital(session), now=clock.now)
    assert store.has_consented(session, minji.id, Purpose.FORECASTING)
    assert not store.has_consented(session, minji.id, Purpose.RESEARCH)

    service.withdraw(session, minji.id, Purpose.FORECASTING, now=clock.now)
    service.withdraw(session, minji.id, Purpose.FORECASTING, now=clock.now)
    assert not store.has_consented(session, minji.id, Purpose.FORECASTING)
    service.grant(session, minji.id, Purpose.FORECASTING, text_version="2026-11", now=clock.now)
    service.grant(session, minji.id, Purpose.FORECASTING, text_version="2026-11", now=clock.now)

    rows = session.exec(
        select(Consent)
        .where(Consent.patient_id == minji.id, Consent.purpose == Purpose.FORECASTING)
        .order_by(col(Consent.withdrawn_at))
    ).all()
    assert [row.withdrawn_at is None for row in rows] == [False, True]


def test_change_numbers_of_a_patient_follow_each_other_without_gap(session: Session, clock: SettableClock) -> None:
    minji = clinic.patient(session, clinic.hospital(session), now=clock.now)
    first = store.next_changes(session, minji.id, 3)
    assert store.next_changes(session, minji.id) == first + 3
