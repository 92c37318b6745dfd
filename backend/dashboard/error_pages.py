"""Errors as pages for browsers and as plain sentences for htmx; programs keep the JSON of core/web.py."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from backend.accounts.permissions import SESSION_COOKIE
from backend.core.errors import NotSignedIn, SoomError
from backend.core.web import CONTENT_SECURITY_POLICY, render_error
from backend.dashboard.templating import language_of, page
from backend.dashboard.translations import catalogue, translator

Handler = Callable[[Request, Any], Response | Awaitable[Response]]

# Statuses with a text of their own in the translations; every other one gets that of 500.
WORDED = frozenset({401, 403, 404, 405, 409, 422, 429})


class UnexpectedError(SoomError):
    status = 500
    code = "unexpected_error"
    message = "Something went wrong on our side; try again in a moment."


def add_error_pages(app: FastAPI) -> None:
    """Call after core.web.add_error_rendering(), whose handlers go on answering everything that is not a page."""
    for kind in (SoomError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _page_or(app.exception_handlers[kind]))
    app.add_exception_handler(Exception, _unexpected)


def wants_page(request: Request) -> bool:
    return not request.url.path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


def is_htmx(request: Request) -> bool:
    return request.headers.get("HX-Request") == "true"


def _page_or(rest: Handler) -> Callable[[Request, Any], Awaitable[Response]]:
    async def handle(request: Request, error: Any) -> Response:
        if is_htmx(request):
            if isinstance(error, NotSignedIn):
                return Response(status_code=401, headers={"HX-Redirect": "/sign-in?expired=1"})
            return _sentence(request, error)
        if not wants_page(request):
            return cast(Response, await run_in_threadpool(rest, request, error))
        if isinstance(error, NotSignedIn):
            expired = SESSION_COOKIE in request.cookies
            return RedirectResponse("/sign-in?expired=1" if expired else "/sign-in", status_code=303)
        return _page(request, _status(error))

    return handle


async def _unexpected(request: Request, _: Exception) -> Response:
    if is_htmx(request):
        answer = _sentence(request, UnexpectedError())
    elif wants_page(request):
        answer = _page(request, 500)
    else:
        answer = render_error(UnexpectedError())
    # Starlette answers here outside every middleware, so also outside the one that sets this header.
    answer.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return answer


def _status(error: Any) -> int:
    if isinstance(error, RequestValidationError):
        return 422
    return int(error.status if isinstance(error, SoomError) else error.status_code)


def _worded(status: int) -> int:
    return status if status in WORDED else 500


def _page(request: Request, status: int) -> Response:
    return page("error.html", language_of(request), status=status, code=_worded(status))


def _sentence(request: Request, error: Any) -> Response:
    """What htmx shows in the notice: words for this very problem, where there are any."""
    language = language_of(request)
    problem = f"problem.{getattr(error, 'code', '')}"
    key = problem if problem in catalogue(language) else f"error.{_worded(_status(error))}.text"
    return Response(translator(language)(key), status_code=_status(error), media_type="text/plain")
