"""Workers say that they live; the health endpoint goes red when none has for a while."""

from datetime import datetime, timedelta

from sqlalchemy import Column, func, text
from sqlmodel import Field, Session, SQLModel, select

from backend.core.database import Instant

SILENT_AFTER = timedelta(seconds=30)


class WorkerHeartbeat(SQLModel, table=True):
    __tablename__ = "worker_heartbeat"

    worker: str = Field(primary_key=True)
    seen_at: datetime = Field(sa_column=Column(Instant, nullable=False))
    # Which model it forecasts with; NULL where the rules work alone.
    model: str | None = None


def beat(session: Session, worker: str, *, now: datetime, model: str | None = None) -> None:
    session.connection().execute(
        text("""
            INSERT INTO worker_heartbeat (worker, seen_at, model) VALUES (:worker, :now, :model)
            ON CONFLICT (worker) DO UPDATE SET seen_at = excluded.seen_at, model = excluded.model
        """),
        {"worker": worker, "now": now, "model": model},
    )
    session.connection().execute(
        text("DELETE FROM worker_heartbeat WHERE seen_at < :old"), {"old": now - timedelta(days=1)}
    )


def last_beat(session: Session) -> datetime | None:
    return session.exec(select(func.max(WorkerHeartbeat.seen_at))).one()


def worker_is_silent(session: Session, *, now: datetime) -> bool:
    seen_at = last_beat(session)
    return seen_at is None or now - seen_at > SILENT_AFTER
