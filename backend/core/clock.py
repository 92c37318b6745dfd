"""The only place where the server reads the time; everything inside takes `now` as an argument."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


# Async only so that FastAPI calls it in place: a plain `def` dependency costs a trip through the thread pool.
async def request_time(request: Request) -> datetime:
    clock: Clock = request.app.state.clock
    return clock()


Now = Annotated[datetime, Depends(request_time)]
