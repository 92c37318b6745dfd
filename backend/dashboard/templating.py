"""Jinja2 as the pages use it: strict, escaping, in the reader's language, with times of the patient's own zone."""

import json
from datetime import UTC, date
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from backend.accounts.permissions import CSRF_HEADER
from backend.accounts.tables import Clinician
from backend.dashboard.sparkline import sparkline
from backend.dashboard.translations import LANGUAGES, preferred_language
from backend.dashboard.words import words

FOLDER = Path(__file__).resolve().parent
STATIC = FOLDER / "static"
LANGUAGE_COOKIE = "soom_language"

# htmx as a Content-Security-Policy without unsafe-* needs it: no injected <style>, no evaluated expressions.
HTMX_CONFIG = json.dumps(
    {"includeIndicatorStyles": False, "allowEval": False, "selfRequestsOnly": True, "historyCacheSize": 0}
)


@lru_cache(maxsize=64)
def _digest(path: Path, _changed_at_ns: int) -> str:
    return sha256(path.read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """Address of a static file, with a digest of its content so that browsers may keep it for a year."""
    path = STATIC / name
    return f"/static/{name}?v={_digest(path, path.stat().st_mtime_ns)}" if path.is_file() else f"/static/{name}"


def full_years(born_on: date, on: date) -> int:
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        asset=asset,
        csrf_header=CSRF_HEADER,
        htmx_config=HTMX_CONFIG,
        languages=LANGUAGES,
        full_years=full_years,
        sparkline=sparkline,
    )
    made.filters["utc"] = lambda instant: instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return made


def language_of(request: Request, clinician: Clinician | None = None) -> str:
    """The account's language; before sign-in that of the cookie, else of the browser."""
    chosen = clinician.language if clinician else request.cookies.get(LANGUAGE_COOKIE, "")
    return chosen if chosen in LANGUAGES else preferred_language(request.headers.get("accept-language", ""))


def render(template: str, language: str, **context: object) -> str:
    chosen = words(language)
    return environment().get_template(template).render(words=chosen, t=chosen.t, language=language, **context)


def page(template: str, language: str, *, status: int = 200, **context: object) -> HTMLResponse:
    return HTMLResponse(render(template, language, **context), status_code=status)
