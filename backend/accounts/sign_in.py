"""Clinicians: passwords (Argon2id) and server-side browser sessions."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlmodel import Session, select

from backend.accounts import throttle
from backend.accounts.errors import PasswordNotConfirmed, SignInFailed
from backend.accounts.tables import Clinician, ClinicianSession, Role
from backend.accounts.tokens import hashed
from backend.core.errors import FieldError, InvalidFields
from backend.core.settings import Settings

MIN_PASSWORD_LENGTH = 12

_hasher = PasswordHasher()
# Verified when the address is unknown, so that the answer takes as long as for a known one.
_nobody = _hasher.hash(secrets.token_urlsafe(16))


def add_clinician(
    session: Session,
    *,
    hospital_id: UUID,
    email: str,
    name: str,
    password: str,
    now: datetime,
    role: Role = Role.CLINICIAN,
    language: str = "en",
) -> Clinician:
    """Raises InvalidFields for a password under 12 characters."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidFields(
            "The password is too short.",
            fields=[FieldError("password", f"Use at least {MIN_PASSWORD_LENGTH} characters.")],
        )
    clinician = Clinician(
        hospital_id=hospital_id,
        email=email.strip().lower(),
        name=name,
        role=role.value,
        language=language,
        password_hash=hash_of(password),
        created_at=now,
    )
    session.add(clinician)
    session.flush()
    return clinician


def hash_of(password: str) -> str:
    return _hasher.hash(password)


def password_is_right(clinician: Clinician | None, password: str) -> bool:
    try:
        return _hasher.verify(clinician.password_hash if clinician else _nobody, password) and clinician is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def sign_in(
    session: Session, settings: Settings, *, email: str, password: str, address: str, now: datetime
) -> tuple[Clinician, str, str]:
    """Open a browser session: (clinician, cookie value, CSRF token). Raises TooManyAttempts or SignInFailed."""
    email = email.strip().lower()
    subjects = (f"sign-in:{email}", f"sign-in-from:{address}")
    for subject in subjects:
        throttle.refuse_too_many(session, subject, now=now)
    clinician = session.exec(select(Clinician).where(Clinician.email == email)).first()
    if not password_is_right(clinician, password) or clinician is None or not clinician.active:
        for subject in subjects:
            throttle.record_failure(session, subject, now=now)
        raise SignInFailed
    throttle.forget_failures(session, subjects[0])
    if _hasher.check_needs_rehash(clinician.password_hash):
        clinician.password_hash = hash_of(password)
    token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
    session.add(
        ClinicianSession(
            token_hash=hashed(token),
            clinician_id=clinician.id,
            csrf_token=csrf_token,
            created_at=now,
            expires_at=now + timedelta(hours=settings.clinician_session_hours),
        )
    )
    session.flush()
    return clinician, token, csrf_token


def open_session(session: Session, token: str, *, now: datetime) -> tuple[Clinician, ClinicianSession] | None:
    """The clinician and session of a cookie, or None when it is unknown, expired or the account closed."""
    found = session.exec(
        select(Clinician, ClinicianSession)
        .join(ClinicianSession, ClinicianSession.clinician_id == Clinician.id)  # type: ignore[arg-type]
        .where(ClinicianSession.token_hash == hashed(token), ClinicianSession.expires_at > now, Clinician.active)
    ).first()
    return None if found is None else (found[0], found[1])


def confirm_password(session: Session, clinician: Clinician, password: str, *, now: datetime) -> None:
    """Ask who is at the keyboard before a signature. Raises TooManyAttempts or PasswordNotConfirmed."""
    subject = f"signature:{clinician.id}"
    throttle.refuse_too_many(session, subject, now=now)
    if not password_is_right(clinician, password):
        throttle.record_failure(session, subject, now=now)
        raise PasswordNotConfirmed
    throttle.forget_failures(session, subject)


def sign_out(session: Session, token: str) -> None:
    row = session.get(ClinicianSession, hashed(token))
    if row is not None:
        session.delete(row)
