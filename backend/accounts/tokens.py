"""Tokens of a patient's phone: enrolment by one-time code, short access tokens, rotating refresh tokens."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import jwt
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from backend.accounts import throttle
from backend.accounts.errors import (
    AccessTokenExpired,
    AccessTokenInvalid,
    EnrolmentCodeExpired,
    EnrolmentCodeUnknown,
    EnrolmentCodeUsed,
    RefreshTokenExpired,
    RefreshTokenReused,
    RefreshTokenUnknown,
)
from backend.accounts.schemas import DeviceIn, TokensOut
from backend.accounts.tables import Device, DeviceRole, EnrolmentCode, RefreshToken
from backend.core.settings import Settings

# Without letters and digits that people mix up (0 O, 1 I L, 5 S, 2 Z, 8 B, U V).
CODE_ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
CODE_VALID = timedelta(days=7)


@dataclass(frozen=True)
class DeviceCaller:
    """The phone behind a request, and the one patient whose data it may touch."""

    patient_id: UUID
    device_id: UUID


def hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def normalised(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def create_enrolment_code(
    session: Session,
    patient_id: UUID,
    *,
    created_by: UUID | None,
    now: datetime,
    role: DeviceRole = DeviceRole.PATIENT,
) -> str:
    """A new one-time code such as `K7QM-3XRD`, valid for a week; only its hash is kept."""
    letters = "".join(secrets.choice(CODE_ALPHABET) for _ in range(8))
    session.add(
        EnrolmentCode(
            code_hash=hashed(letters),
            patient_id=patient_id,
            role=role.value,
            created_by=created_by,
            created_at=now,
            expires_at=now + CODE_VALID,
        )
    )
    session.flush()
    return f"{letters[:4]}-{letters[4:]}"


def enrol(
    session: Session, settings: Settings, code: str, phone: DeviceIn, *, address: str, now: datetime
) -> TokensOut:
    """Bind a phone to the patient of a one-time code.

    Raises TooManyAttempts, EnrolmentCodeUnknown, EnrolmentCodeUsed or EnrolmentCodeExpired.
    """
    subject = f"enrol:{address}"
    throttle.refuse_too_many(session, subject, now=now)
    row = session.exec(
        select(EnrolmentCode).where(EnrolmentCode.code_hash == hashed(normalised(code))).with_for_update()
    ).first()
    if row is None:
        throttle.record_failure(session, subject, now=now)
        raise EnrolmentCodeUnknown
    if row.used_at is not None:
        throttle.record_failure(session, subject, now=now)
        raise EnrolmentCodeUsed
    if row.expires_at <= now:
        throttle.record_failure(session, subject, now=now)
        raise EnrolmentCodeExpired
    row.used_at = now
    session.connection().execute(
        insert(Device)
        .values(
            id=phone.id,
            patient_id=row.patient_id,
            name=phone.name,
            platform=phone.platform,
            role=row.role,
            enrolled_at=now,
        )
        .on_conflict_do_update(
            index_elements=["id", "patient_id"],
            set_={"name": phone.name, "role": row.role, "enrolled_at": now, "removed_at": None},
        )
    )
    caller, role = DeviceCaller(row.patient_id, phone.id), DeviceRole(row.role)
    return _issue(session, settings, caller, family=uuid4(), role=role, now=now)


def refresh(session: Session, settings: Settings, token: str, *, attempt_id: UUID | None, now: datetime) -> TokensOut:
    """Exchange a refresh token; it is spent by this.

    Raises RefreshTokenUnknown, RefreshTokenExpired, or RefreshTokenReused, which ends the whole family.
    """
    row = session.exec(select(RefreshToken).where(RefreshToken.token_hash == hashed(token)).with_for_update()).first()
    if row is None:
        raise RefreshTokenUnknown
    if row.spent_at is not None or row.revoked_at is not None:
        if not _is_repeat_after_lost_answer(session, row, attempt_id):
            revoke_family(session, row.family, now=now)
            # Committed here because the error undoes everything else, and the theft must stay recorded.
            session.commit()
            raise RefreshTokenReused
        successor = session.get_one(RefreshToken, row.successor_hash)
        successor.revoked_at = now
    elif row.expires_at <= now:
        raise RefreshTokenExpired
    caller = DeviceCaller(row.patient_id, row.device_id)
    device = session.get(Device, (caller.device_id, caller.patient_id))
    if device is None or device.removed_at is not None:
        # The phone was removed from the diary: its tokens are worth nothing.
        raise RefreshTokenUnknown
    tokens = _issue(session, settings, caller, family=row.family, role=DeviceRole(device.role), now=now)
    row.spent_at = now
    row.spent_by_attempt = attempt_id
    row.successor_hash = hashed(tokens.refresh_token)
    return tokens


def _is_repeat_after_lost_answer(session: Session, row: RefreshToken, attempt_id: UUID | None) -> bool:
    if attempt_id is None or attempt_id != row.spent_by_attempt or row.revoked_at is not None:
        return False
    successor = session.get_one(RefreshToken, row.successor_hash)
    return successor.spent_at is None and successor.revoked_at is None


def revoke_family(session: Session, family: UUID, *, now: datetime) -> None:
    session.connection().execute(
        update(RefreshToken)
        .where(col(RefreshToken.family) == family, col(RefreshToken.revoked_at).is_(None))
        .values(revoked_at=now)
    )


def _issue(
    session: Session, settings: Settings, caller: DeviceCaller, *, family: UUID, role: DeviceRole, now: datetime
) -> TokensOut:
    refresh_token = secrets.token_urlsafe(32)
    session.add(
        RefreshToken(
            token_hash=hashed(refresh_token),
            family=family,
            patient_id=caller.patient_id,
            device_id=caller.device_id,
            created_at=now,
            expires_at=now + timedelta(days=settings.refresh_token_days),
        )
    )
    session.flush()
    expires_at = now + timedelta(minutes=settings.access_token_minutes)
    access_token = jwt.encode(
        {"sub": str(caller.patient_id), "device": str(caller.device_id), "exp": expires_at},
        settings.secret_key.get_secret_value(),
        algorithm="HS256",
    )
    return TokensOut(
        patient_id=caller.patient_id,
        role=role,
        access_token=access_token,
        access_expires_at=expires_at,
        refresh_token=refresh_token,
        server_time=now,
    )


def read_access_token(settings: Settings, token: str, *, now: datetime) -> DeviceCaller:
    """Raises AccessTokenInvalid or AccessTokenExpired."""
    try:
        claims = jwt.decode(
            token,
            settings.secret_key.get_secret_value(),
            algorithms=["HS256"],
            options={"require": ["sub", "device", "exp"], "verify_exp": False},
        )
        caller = DeviceCaller(UUID(claims["sub"]), UUID(claims["device"]))
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (jwt.InvalidTokenError, ValueError, TypeError) as error:
        raise AccessTokenInvalid from error
    if expires_at <= now:
        raise AccessTokenExpired
    return caller
