"""A signed-in clinician in front of a clinic, over HTTP."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import event
from sqlmodel import Session

from backend.accounts.permissions import CSRF_HEADER, SESSION_COOKIE
from backend.accounts.tables import ClinicianSession
from backend.accounts.tokens import hashed
from tests.conftest import SettableClock
from tests.factories.full_clinic import PEOPLE, FullClinic, full_clinic

FEW = (PEOPLE[0], PEOPLE[2], PEOPLE[11])


@dataclass
class Desk:
    """A browser's session: the client holds its cookie, `csrf` its token."""

    client: TestClient
    clinic: FullClinic
    csrf: dict[str, str]

    def page(self, path: str) -> Response:
        return self.client.get(path, headers={"Accept": "text/html"}, follow_redirects=False)

    def post(self, path: str, **form: str) -> Response:
        return self.client.post(path, data=form, headers=self.csrf | {"HX-Request": "true"})


def signed_in(client: TestClient, session: Session, made: FullClinic, *, now: datetime) -> Desk:
    """A session put straight into its table: hashing the password anew for every test would take most of their time."""
    token = uuid.uuid4().hex
    session.add(
        ClinicianSession(
            token_hash=hashed(token),
            clinician_id=made.doctor.id,
            csrf_token=token[::-1],
            created_at=now,
            expires_at=now + timedelta(hours=10),
        )
    )
    session.commit()
    client.cookies.set(SESSION_COOKIE, token)
    return Desk(client, made, {CSRF_HEADER: token[::-1]})


@pytest.fixture
def desk(client: TestClient, session: Session, clock: SettableClock) -> Desk:
    """Three patients: one in the red zone, one with an amber alert, one without any entry."""
    made = full_clinic(session, now=clock.now, people=FEW, most_days=12)
    return signed_in(client, session, made, now=clock.now)


@pytest.fixture
def full_desk(client: TestClient, session: Session, clock: SettableClock) -> Desk:
    made = full_clinic(session, now=clock.now, most_days=12)
    return signed_in(client, session, made, now=clock.now)


@contextmanager
def counted_statements(session: Session) -> Iterator[list[str]]:
    """The SQL statements that run inside the block."""
    statements: list[str] = []

    def note(*call: object) -> None:
        if not str(call[2]).startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            statements.append(str(call[2]))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    yield statements
    event.remove(connection, "before_cursor_execute", note)
