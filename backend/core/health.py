"""`/health`: green when the database answers and a worker has lived within the last half minute."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.heartbeat import last_beat, worker_is_silent

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: Literal["ok", "red"]
    database: bool
    worker: bool
    worker_seen_seconds_ago: float | None


@router.get("/health", responses={503: {"model": Health}})
def health(response: Response, session: DatabaseSession, now: Now) -> Health:
    try:
        seen_at = last_beat(session)
    except SQLAlchemyError:
        response.status_code = 503
        session.rollback()
        return Health(status="red", database=False, worker=False, worker_seen_seconds_ago=None)
    silent = worker_is_silent(session, now=now)
    if silent:
        response.status_code = 503
    return Health(
        status="red" if silent else "ok",
        database=True,
        worker=not silent,
        worker_seen_seconds_ago=None if seen_at is None else round((now - seen_at).total_seconds(), 1),
    )
