from datetime import timedelta

import pytest
from sqlmodel import Session, select

from backend.accounts import sign_in, throttle
from backend.accounts.errors import SignInFailed
from backend.accounts.tables import Clinician, ClinicianSession
from backend.core.errors import InvalidFields, TooManyAttempts
from backend.core.settings import Settings
from tests.conftest import SettableClock
from tests.factories import clinic


@pytest.fixture
def doctor(session: Session, clock: SettableClock) -> Clinician:
    row = clinic.clinician(session, clinic.hospital(session), now=clock.now, email="kim@hospital.example")
    session.commit()
    return row


def enter(session: Session, settings: Settings, clock: SettableClock, password: str = clinic.PASSWORD) -> str:
    return sign_in.sign_in(
        session, settings, email=" Kim@Hospital.example ", password=password, address="127.0.0.1", now=clock.now
    )[1]


def test_passwords_are_stored_with_argon2id_and_sessions_as_hashes(
    session: Session, settings: Settings, doctor: Clinician, clock: SettableClock
) -> None:
    assert doctor.password_hash.startswith("$argon2id$")
    cookie = enter(session, settings, clock)
    assert cookie.encode() not in session.exec(select(ClinicianSession.token_hash)).one()


def test_a_session_opens_until_it_expires_or_is_signed_out(
    session: Session, settings: Settings, doctor: Clinician, clock: SettableClock
) -> None:
    cookie = enter(session, settings, clock)
    found = sign_in.open_session(session, cookie, now=clock.now)
    assert found is not None
    assert found[0].id == doctor.id
    later = clock.now + timedelta(hours=settings.clinician_session_hours)
    assert sign_in.open_session(session, cookie, now=later) is None
    sign_in.sign_out(session, cookie)
    assert sign_in.open_session(session, cookie, now=clock.now) is None


def test_a_closed_account_is_out_at_once(
    session: Session, settings: Settings, doctor: Clinician, clock: SettableClock
) -> None:
    cookie = enter(session, settings, clock)
    doctor.active = False
    session.flush()
    assert sign_in.open_session(session, cookie, now=clock.now) is None
    with pytest.raises(SignInFailed):
        enter(session, settings, clock)


def test_guessing_passwords_is_throttled_for_the_account_and_a_success_clears_it(
    session: Session, settings: Settings, doctor: Clinician, clock: SettableClock
) -> None:
    for _ in range(throttle.ALLOWED_FAILURES - 1):
        with pytest.raises(SignInFailed):
            enter(session, settings, clock, "not the password")
    clock.now += timedelta(minutes=14)
    with pytest.raises(SignInFailed):
        enter(session, settings, clock, "not the password")
    with pytest.raises(TooManyAttempts) as refused:
        enter(session, settings, clock)
    assert refused.value.retry_after_seconds is not None
    clock.now += timedelta(seconds=refused.value.retry_after_seconds)
    assert enter(session, settings, clock)


def test_a_short_password_is_refused_with_the_field(session: Session, clock: SettableClock) -> None:
    with pytest.raises(InvalidFields) as refused:
        sign_in.add_clinician(
            session,
            hospital_id=clinic.hospital(session).id,
            email="a@b.example",
            name="A",
            password="short",
            now=clock.now,
        )
    assert refused.value.fields[0].path == "password"
