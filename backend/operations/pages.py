"""The page for who keeps Soom running: what is due and late, what was delivered, alerts against budget, models."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError

from backend.accounts.permissions import CSRF_HEADER, SignedIn
from backend.accounts.tables import Hospital
from backend.core.clock import Now
from backend.core.database import DatabaseSession
from backend.core.errors import InvalidFields
from backend.operations.access import CallingAdministrator
from backend.operations.service import (
    AlertSettingsIO,
    SwitchIn,
    change_settings,
    clinicians_of,
    read_settings,
    switch,
)
from backend.operations.snapshot import read_snapshot
from backend.risk.sites import switches
from backend.risk.tables import ModelMode

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

FOLDER = Path(__file__).resolve().parent
LANGUAGES = ("en", "ko", "et")
AGAIN = {"HX-Refresh": "true"}


@router.get("/operations")
def operations_page(
    request: Request, session: DatabaseSession, caller: SignedIn, who: CallingAdministrator, now: Now
) -> Response:
    snapshot = read_snapshot(session, now, who.hospital_id)
    words = _words(who.language if who.language in LANGUAGES else "en")
    modes = {row.model_id: row for row in switches(session, who.hospital_id)}
    in_use = {worker.model.rpartition(" ")[0] for worker in snapshot.workers if worker.model}
    html = (
        _environment()
        .get_template("operations.html")
        .render(
            w=words,
            language=who.language,
            who=who,
            hospital=session.get_one(Hospital, who.hospital_id).name,
            csrf_token=caller[1].csrf_token,
            csrf_header=CSRF_HEADER,
            now=snapshot,
            models=sorted(in_use | set(modes)),
            modes=modes,
            all_modes=list(ModelMode),
            chosen=read_settings(session, who.hospital_id),
            clinicians=clinicians_of(session, who),
        )
    )
    return HTMLResponse(html)


@router.post("/operations/models")
def switch_form(
    session: DatabaseSession,
    who: CallingAdministrator,
    now: Now,
    model_id: Annotated[str, Form(min_length=1, max_length=80)],
    mode: Annotated[ModelMode, Form()],
    reason: Annotated[str, Form(min_length=1, max_length=500)],
) -> Response:
    switch(session, who, model_id, SwitchIn(mode=mode, reason=reason), now)
    return Response(status_code=204, headers=AGAIN)


@router.post("/operations/alert-settings")
def settings_form(
    session: DatabaseSession,
    who: CallingAdministrator,
    now: Now,
    amber_per_patient_month: Annotated[float, Form()],
    red_per_patient_month: Annotated[float, Form()],
    second_after_minutes: Annotated[int, Form()],
    email_after_minutes: Annotated[int, Form()],
    on_call_id: Annotated[str, Form()] = "",
) -> Response:
    try:
        chosen = AlertSettingsIO(
            amber_per_patient_month=amber_per_patient_month,
            red_per_patient_month=red_per_patient_month,
            second_after_minutes=second_after_minutes,
            email_after_minutes=email_after_minutes,
            on_call_id=UUID(on_call_id) if on_call_id else None,
        )
    except (ValidationError, ValueError) as error:
        raise InvalidFields from error
    change_settings(session, who, chosen, now)
    return Response(status_code=204, headers=AGAIN)


@cache
def _words(language: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / "words" / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["seconds"] = _seconds
    return made


def _seconds(seconds: float) -> str:
    """`0.4 s`, `12 s`, `5 min`, `3 h`: as much as tells."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
