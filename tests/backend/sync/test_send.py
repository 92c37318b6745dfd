"""What a phone gets: everything it has not seen, once, in the order of change."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from backend.accounts.tables import Clinician
from backend.clinical.peak_flow import thresholds_from_personal_best
from backend.clinical.personal_best import BestBasis
from backend.medication import service as medication
from backend.medication.tables import Inhaler
from backend.notifications.tables import InboxMessage
from backend.patients.store import next_changes
from backend.patients.tables import Patient
from backend.plans.service import sign
from backend.plans.tables import ActionPlan
from backend.plans.wording import standard_instructions
from backend.risk.tables import Assessment
from tests.conftest import NOON
from tests.factories import clinic
from tests.factories.diary import entry, outcomes, pull, send


def pages(phone: clinic.Phone, limit: int) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        page = pull(phone, cursor, limit)
        yield page
        cursor = page["cursor"]
        if not page["more"]:
            return


@pytest.fixture
def doctor(session: Session, patient: Patient) -> Clinician:
    return session.exec(select(Clinician).where(Clinician.hospital_id == patient.hospital_id)).one()


def signed_plan(session: Session, patient: Patient, doctor: Clinician, best: int = 500) -> ActionPlan:
    plan = sign(
        session,
        patient.id,
        doctor,
        personal_best_litres_per_min=best,
        personal_best_basis=BestBasis.MEASURED,
        meter="Mini-Wright",
        thresholds=thresholds_from_personal_best(best),
        instructions=standard_instructions("119"),
        review_on=date(2027, 2, 1),
        now=NOON,
    )
    session.commit()
    return plan


@pytest.mark.parametrize("limit", [1, 3, 7, 500])
def test_pages_of_any_size_bring_each_entry_once_in_the_order_of_change(phone: clinic.Phone, limit: int) -> None:
    kinds = ["peak_flow", "note", "symptoms", "trigger", "attack"]
    sent = [entry(kind, taken_at=NOON - timedelta(hours=n)) for n, kind in enumerate(kinds * 3)]
    send(phone, *sent, sent_at=NOON)
    got = list(pages(phone, limit))
    assert [one["id"] for page in got for one in page["entries"]] == [one["id"] for one in sent]
    assert all(len(page["entries"]) <= limit for page in got)
    assert sum(page["profile"] is not None for page in got) == 1


def test_an_edit_comes_again_under_a_later_cursor_and_a_deletion_as_a_tombstone(phone: clinic.Phone) -> None:
    first, second = entry("note", taken_at=NOON), entry("note", taken_at=NOON)
    send(phone, first, second, sent_at=NOON)
    seen = pull(phone)
    send(phone, first | {"revision": 2, "deleted": True, "body": None}, sent_at=NOON)
    [gone] = pull(phone, seen["cursor"])["entries"]
    assert (gone["id"], gone["revision"], gone["deleted"], gone["body"]) == (first["id"], 2, True, None)


def test_nothing_new_is_nothing(phone: clinic.Phone, reliever: Inhaler, session: Session) -> None:
    session.commit()
    send(phone, entry(taken_at=NOON), sent_at=NOON)
    seen = pull(phone)
    again = pull(phone, seen["cursor"])
    assert again.pop("server_time") == "2026-11-20T12:00:00Z"
    assert again == {
        "cursor": seen["cursor"],
        "more": False,
        "entries": [],
        "profile": None,
        "consents": None,
        "inhalers": None,
        "plan": None,
        "forecast": None,
        "inbox": [],
    }


def test_nobody_gets_another_patients_diary(phone: clinic.Phone, session: Session) -> None:
    stranger = clinic.patient(session, clinic.hospital(session), now=NOON)
    theirs = clinic.enrolled_phone(phone.client, session, stranger, now=NOON)
    send(phone, entry(taken_at=NOON), sent_at=NOON)
    page = pull(theirs)
    assert page["entries"] == []
    assert page["profile"]["patient_id"] == str(stranger.id)


def test_a_changed_prescription_brings_the_whole_list(phone: clinic.Phone, session: Session, reliever: Inhaler) -> None:
    session.commit()
    [got] = pull(phone)["inhalers"]
    assert got == {
        "id": str(reliever.id),
        "name": "Ventolin",
        "role": "reliever",
        "drug": "salbutamol",
        "device": "pmdi",
        "puffs_per_dose": 1,
        "doses_per_day": 0,
        "max_puffs_per_day": None,
        "warn_puffs_per_day": None,
        "active": True,
    }
    cursor = pull(phone)["cursor"]
    medication.stop(session, reliever, now=NOON)
    session.commit()
    [stopped] = pull(phone, cursor)["inhalers"]
    assert not stopped["active"]
    late = entry("inhaler_use", taken_at=NOON - timedelta(hours=1), inhaler_id=str(reliever.id))
    assert outcomes(send(phone, late, sent_at=NOON)) == ["accepted"]


def test_a_signed_plan_reaches_the_phone_in_the_patients_language_and_its_receipt_comes_back(
    phone: clinic.Phone, session: Session, patient: Patient, doctor: Clinician
) -> None:
    patient.language = "ko"
    signed_plan(session, patient, doctor)
    plan = pull(phone)["plan"]
    assert plan["version"] == 1
    assert plan["signed_by"] == doctor.name
    assert (plan["yellow_below_litres_per_min"], plan["red_below_litres_per_min"]) == (400, 250)
    assert plan["language"] == "ko"
    assert any("119" in sentence for sentence in plan["instructions"]["red"])
    receipt = entry("plan_receipt", taken_at=NOON, plan_version=1)
    unsigned = entry("plan_receipt", taken_at=NOON, plan_version=2)
    assert outcomes(send(phone, receipt, unsigned, sent_at=NOON)) == ["accepted", "unknown_plan_version"]


def test_a_forecast_and_a_message_come_once(phone: clinic.Phone, session: Session, patient: Patient) -> None:
    cursor = pull(phone)["cursor"]
    session.add(
        Assessment(
            patient_id=patient.id,
            as_of=NOON.date(),
            assessed_at=NOON,
            status="not_enough_data",
            diary_days=3,
            change=next_changes(session, patient.id),
        )
    )
    session.add(
        InboxMessage(
            patient_id=patient.id,
            tag="red_zone",
            kind="red_zone",
            level="red",
            title="Red zone",
            text="Take your reliever now.",
            created_at=NOON,
            change=next_changes(session, patient.id),
        )
    )
    session.commit()
    page = pull(phone, cursor)
    assert (page["forecast"]["status"], page["forecast"]["diary_days"]) == ("not_enough_data", 3)
    assert page["forecast"]["probability"] is None
    assert [message["title"] for message in page["inbox"]] == ["Red zone"]
    later = pull(phone, page["cursor"])
    assert (later["forecast"], later["inbox"]) == (None, [])
