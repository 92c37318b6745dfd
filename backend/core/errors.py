"""Errors state the fact, carry their status, and are rendered in one place (core/web.py)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FieldError:
    """`code` and `values`, where given, let a page say the same in its reader's language."""

    path: str
    message: str
    code: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


class StartRefused(Exception):
    """The process must not start as it is configured."""


class SoomError(Exception):
    """An error the caller can act on.

    `code` is stable and for programs, `message` is a sentence for people that says what to do next.
    """

    status = 400
    code = "bad_request"
    message = "The request could not be understood."

    def __init__(
        self,
        message: str | None = None,
        *,
        fields: Sequence[FieldError] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        self.message = message or type(self).message
        self.fields = tuple(fields)
        self.retry_after_seconds = retry_after_seconds
        super().__init__(self.message)


class MalformedJson(SoomError):
    code = "malformed_json"
    message = "The body is not valid JSON."


class MalformedBody(SoomError):
    code = "malformed_body"
    message = "The body could not be unpacked; send it plain or as gzip."


class BodyTooLarge(SoomError):
    status = 413
    code = "body_too_large"
    message = "The body is too large; send it in smaller parts."


class InvalidFields(SoomError):
    status = 422
    code = "invalid_fields"
    message = "Some fields are missing or not acceptable."


class NotSignedIn(SoomError):
    status = 401
    code = "not_signed_in"
    message = "Sign in first."


class NotAllowed(SoomError):
    status = 403
    code = "not_allowed"
    message = "Your role does not allow this."


class NotFound(SoomError):
    """Also the answer for what exists but is not yours: its existence is nobody else's business."""

    status = 404
    code = "not_found"
    message = "There is nothing here, or it is not yours to see."


class TooManyAttempts(SoomError):
    status = 429
    code = "too_many_attempts"
    message = "Too many attempts; wait and try again."
