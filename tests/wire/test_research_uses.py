"""The ledger on research, from the real server's audit trail to the phone's page."""

from pathlib import Path

import httpx
from fastapi.testclient import TestClient
from sqlmodel import Session

from backend.accounts.tokens import create_enrolment_code
from backend.core import audit
from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.seal import Seal
from mobile_app.data.server import SoomServer
from mobile_app.data.sharing import ResearchUse, Sharing, SharingPapers
from tests.conftest import SettableClock
from tests.factories import clinic
from tests.wire.test_renewal import LossyNetwork


def test_a_phone_reads_which_round_used_the_diary(
    client: TestClient, session: Session, clock: SettableClock, tmp_path: Path
) -> None:
    minji = clinic.patient(session, clinic.hospital(session), now=clock.now)
    code = create_enrolment_code(session, minji.id, created_by=None, now=clock.now)
    audit.record(
        session,
        now=clock.now,
        actor_kind=audit.ActorKind.SYSTEM,
        actor_id=None,
        action="export_training",
        patient_ids=[minji.id],
        detail={"kind": "training_round", "purpose": "federated_learning"},
    )
    session.commit()
    database = PhoneDatabase(tmp_path / "diary.sqlite", Seal(b"k" * 32))
    phone = SoomServer(Credentials(database), httpx.MockTransport(LossyNetwork(client).carry))
    phone.enrol("http://testserver", code, "3f0c1f0e-8f4e-4c57-9a55-1a1f6f1d8f11", "phone", "desktop")

    Sharing(database, phone).fetch_research_uses()
    uses = SharingPapers(database).research_uses()
    assert uses is not None
    [use] = uses
    day = clock.now.date()
    assert use == ResearchUse("training_round", "", "federated_learning", day, day, 1, use.text)
    assert use.text
    phone.close()
    database.close()
