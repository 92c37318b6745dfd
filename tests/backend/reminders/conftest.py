from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from backend.accounts.tables import Clinician
from backend.core.database import NewSession
from backend.notifications.push import PushMessage, PushOutcome, PushResult
from backend.notifications.service import deliver_due
from backend.patients.tables import Patient
from backend.reminders.planning import plan_due
from backend.reminders.shadow import judge_due
from backend.reminders.tables import ReminderOccurrence
from tests.conftest import NOON
from tests.factories import clinic


@pytest.fixture
def doctor(session: Session) -> Clinician:
    return clinic.clinician(session, clinic.hospital(session), now=NOON)


@pytest.fixture
def patient(session: Session, doctor: Clinician) -> Patient:
    row = clinic.patient(session, _hospital_of(session, doctor), now=NOON, cared_for_by=doctor)
    row.time_zone = "Asia/Seoul"
    return row


def _hospital_of(session: Session, doctor: Clinician) -> Any:
    from backend.accounts.tables import Hospital

    return session.get_one(Hospital, doctor.hospital_id)


@pytest.fixture
def phone(client: TestClient, session: Session, patient: Patient) -> clinic.Phone:
    return clinic.enrolled_phone(client, session, patient, now=NOON)


@pytest.fixture
def new_session(session: Session) -> NewSession:
    return lambda: Session(session.connection(), join_transaction_mode="create_savepoint", expire_on_commit=False)


@dataclass
class KeptPush:
    """A push service that takes everything, or answers as it is told to."""

    outcome: PushOutcome = PushOutcome.HANDED_OVER
    messages: list[PushMessage] = field(default_factory=list)

    def send(self, messages: Any) -> list[PushResult]:
        self.messages += messages
        return [PushResult(self.outcome) for _ in messages]


@dataclass
class Server:
    """The rounds of a worker at instants that the test names."""

    session: Session
    new_session: NewSession
    push: KeptPush = field(default_factory=KeptPush)

    def round(self, now: datetime) -> None:
        self.session.commit()
        plan_due(self.new_session, now)
        judge_due(self.new_session, now)
        deliver_due(self.new_session, self.push, lambda: now, Random(1), lambda *_: None)
        self.session.expire_all()

    def ledger(self) -> dict[tuple[str, date], ReminderOccurrence]:
        self.session.expire_all()
        rows = self.session.exec(select(ReminderOccurrence).order_by(col(ReminderOccurrence.due_at))).all()
        return {(row.key, row.local_date): row for row in rows}

    def only(self, which: Callable[[ReminderOccurrence], bool]) -> ReminderOccurrence:
        [row] = [row for row in self.ledger().values() if which(row)]
        return row


@pytest.fixture
def server(session: Session, new_session: NewSession) -> Server:
    return Server(session, new_session)
