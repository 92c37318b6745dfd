"""What every HTTP answer has in common: error rendering, unpacking of gzip bodies, security headers."""

import zlib
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.core.errors import BodyTooLarge, FieldError, InvalidFields, MalformedBody, MalformedJson, SoomError

MAX_BODY_BYTES = 4 * 1024 * 1024

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class FieldRefusal(BaseModel):
    path: str
    message: str


class RefusalOut(BaseModel):
    """`code` is stable and for programs; `message` says what to do. `fields` names each field at fault."""

    code: str
    message: str
    fields: list[FieldRefusal]

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "invalid_fields",
                    "message": "Some fields are missing or cannot be read; nothing was saved.",
                    "fields": [{"path": "born_on", "message": "The date of birth lies in the future."}],
                }
            ]
        }
    )


# For a router: what it answers instead of FastAPI's own form of a refusal.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": RefusalOut, "description": "Refused; nothing was saved by halves."}
}


def error_body(error: SoomError) -> dict[str, object]:
    return {
        "code": error.code,
        "message": error.message,
        "fields": [{"path": field.path, "message": field.message} for field in error.fields],
    }


def render_error(error: SoomError) -> Response:
    headers = {} if error.retry_after_seconds is None else {"Retry-After": str(error.retry_after_seconds)}
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)


def add_error_rendering(app: FastAPI) -> None:
    @app.exception_handler(SoomError)
    def _soom_error(_: Request, error: SoomError) -> Response:
        return render_error(error)

    @app.exception_handler(RequestValidationError)
    def _validation_error(_: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        if any(problem["type"] == "json_invalid" for problem in problems):
            return render_error(MalformedJson())
        return render_error(
            InvalidFields(
                # The rejected value itself is left out: it may be personal.
                fields=[FieldError(".".join(str(part) for part in p["loc"][1:]), p["msg"]) for p in problems]
            )
        )

    @app.exception_handler(HTTPException)
    def _http_error(_: Request, error: HTTPException) -> Response:
        # FastAPI's own 400 is for a body that it cannot read as JSON: not UTF-8, or nested too deep.
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return render_error(MalformedJson())
        body = {"code": HTTPStatus(error.status_code).name.lower(), "message": str(error.detail), "fields": []}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)


class UnpackGzip:
    """Reads bodies whole, bounded, and unpacks `Content-Encoding: gzip` before any route sees them."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except SoomError as error:
            await render_error(error)(scope, receive, send)
            return
        sent = False

        async def receive_unpacked() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        headers = MutableHeaders(scope=scope)
        if "content-encoding" in headers:
            del headers["content-encoding"]
        headers["content-length"] = str(len(body))
        await self.app(scope, receive_unpacked, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        packed = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            packed += message.get("body", b"")
            more = message.get("more_body", False)
            if len(packed) > self.max_bytes:
                raise BodyTooLarge
        encoding = MutableHeaders(scope=scope).get("content-encoding", "identity").lower()
        if encoding == "identity":
            return bytes(packed)
        if encoding != "gzip":
            raise MalformedBody
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(bytes(packed), self.max_bytes + 1)
        except zlib.error as error:
            raise MalformedBody from error
        if len(body) > self.max_bytes:
            raise BodyTooLarge
        if not unpacker.eof:
            raise MalformedBody
        return body


class SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "same-origin")
                headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)
