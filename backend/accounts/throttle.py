"""Slows down guessing of passwords and enrolment codes, across all server processes."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from backend.accounts.tables import Attempt
from backend.core.errors import TooManyAttempts

WINDOW = timedelta(minutes=15)
ALLOWED_FAILURES = 8


def refuse_too_many(session: Session, subject: str, *, now: datetime) -> None:
    """Raise TooManyAttempts when `subject` (an account or an address) failed too often within the window."""
    failures, oldest = session.exec(
        select(func.count(), func.min(Attempt.attempted_at)).where(
            Attempt.subject == subject, Attempt.attempted_at > now - WINDOW
        )
    ).one()
    if failures >= ALLOWED_FAILURES:
        raise TooManyAttempts(retry_after_seconds=max(1, int((oldest + WINDOW - now).total_seconds())))


def record_failure(session: Session, subject: str, *, now: datetime) -> None:
    """Remember a failure. Commits, because the error that follows undoes the request's transaction."""
    session.rollback()
    session.connection().execute(delete(Attempt).where(col(Attempt.attempted_at) <= now - WINDOW))
    session.add(Attempt(subject=subject, attempted_at=now))
    session.commit()


def forget_failures(session: Session, subject: str) -> None:
    session.connection().execute(delete(Attempt).where(col(Attempt.subject) == subject))
