"""The ways a push leaves the house: Firebase Cloud Messaging, or, without credentials, the log."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import firebase_admin
from firebase_admin import credentials, exceptions, messaging
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request as GoogleRequest
from requests.adapters import HTTPAdapter

logger = logging.getLogger(__name__)

# firebase-admin opens one thread a message of a batch.
MESSAGES_AT_ONCE = 50
# A phone that is off learns of an alert this long after; then only from the inbox.
TIME_TO_LIVE = timedelta(hours=12)


@dataclass(frozen=True)
class PushMessage:
    """`tag`: a later push with the same tag replaces the earlier one on the phone. `urgent` wakes a sleeping phone.

    The app itself draws it on Android: only so does Soom learn that it came, and its own alarm may have been before.
    """

    token: str
    tag: str
    title: str
    body: str
    urgent: bool
    channel: str
    data: dict[str, str]
    time_to_live: timedelta = TIME_TO_LIVE


class PushOutcome(StrEnum):
    HANDED_OVER = "handed_over"
    NO_PUSH_SERVICE = "no_push_service"
    TOKEN_DEAD = "token_dead"  # noqa: S105 (an outcome, not a secret)
    TRY_AGAIN = "try_again"
    REFUSED = "refused"


@dataclass(frozen=True)
class PushResult:
    """`error_kind` names the failure without quoting the service, whose words may hold a token."""

    outcome: PushOutcome
    error_kind: str | None = None
    retry_after_seconds: float | None = None


class Push(Protocol):
    def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        """One result a message, in order. Never raises for what a service or network did."""


class LogPush:
    """Says in the log that a message waits in the inbox; writes no token and no text."""

    def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        for message in messages:
            logger.info("no push service is set up; message %s waits in the inbox", message.tag)
        return [PushResult(PushOutcome.NO_PUSH_SERVICE) for _ in messages]


class FirebasePush:
    """Sends through firebase-admin with a service account's credentials file.

    `endpoint` replaces https://fcm.googleapis.com, for a proxy or a test. Raises ValueError or OSError at once when the
    file is no service account.
    """

    def __init__(self, credentials_file: Path, *, endpoint: str | None = None, timeout_seconds: float = 10.0) -> None:
        self._certificate = credentials.Certificate(str(credentials_file))
        self._timeout_seconds = timeout_seconds
        self._app = firebase_admin.initialize_app(
            self._certificate, {"httpTimeout": timeout_seconds}, name=f"soom-{uuid4().hex}"
        )
        # firebase-admin 7 has no public way to say either of the next two, so they are said here and nowhere else:
        # its address is a constant; and its own retries sleep for as long as Retry-After asks, within the call and its
        # lease, while the outbox already tries again later.
        service: Any = messaging._get_messaging_service(self._app)
        address = endpoint or "https://fcm.googleapis.com"
        service._client.session.mount(address, HTTPAdapter(pool_maxsize=MESSAGES_AT_ONCE, max_retries=0))
        if endpoint is not None:
            service._fcm_url = f"{endpoint}/v1/projects/{self._app.project_id}/messages:send"

    def send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        results: list[PushResult] = []
        for start in range(0, len(messages), MESSAGES_AT_ONCE):
            results += self._send(messages[start : start + MESSAGES_AT_ONCE])
        return results

    def close(self) -> None:
        firebase_admin.delete_app(self._app)

    def _sign_in(self) -> None:
        """Once for the batch, within the time limit: each of its threads would otherwise sign in by itself."""
        credential = self._certificate.get_credential()
        if not credential.valid:
            credential.refresh(partial(GoogleRequest(), timeout=self._timeout_seconds))

    def _send(self, messages: Sequence[PushMessage]) -> list[PushResult]:
        try:
            self._sign_in()
            batch = messaging.send_each([_firebase_message(message) for message in messages], app=self._app)
        except GoogleAuthError:
            return [PushResult(PushOutcome.TRY_AGAIN, "sign_in_failed") for _ in messages]
        except (exceptions.FirebaseError, ValueError) as error:
            # One answer or message that firebase-admin cannot read fails its whole batch, sent or not.
            if len(messages) > 1:
                return [result for message in messages for result in self._send([message])]
            if isinstance(error, ValueError):
                return [PushResult(PushOutcome.REFUSED, "message_not_encodable")]
            return [_result_of(error)]
        return [
            PushResult(PushOutcome.HANDED_OVER) if response.success else _result_of(response.exception)
            for response in batch.responses
        ]


def _firebase_message(message: PushMessage) -> Any:
    words = {"title": message.title, "body": message.body, "tag": message.tag, "channel": message.channel}
    # What has a notification, Android draws without telling the app. iOS draws in any case and replaces by the tag.
    firebase_message = messaging.Message(
        data={**message.data, **words},
        android=messaging.AndroidConfig(
            collapse_key=message.tag,
            priority="high" if message.urgent else "normal",
            ttl=message.time_to_live,
        ),
        apns=messaging.APNSConfig(
            headers={"apns-collapse-id": message.tag, "apns-priority": "10" if message.urgent else "5"},
            payload=messaging.APNSPayload(
                aps=messaging.Aps(
                    alert=messaging.ApsAlert(title=message.title, body=message.body),
                    sound="default",
                    thread_id=message.tag,
                )
            ),
        ),
    )
    # firebase-admin deprecates the argument in favour of installation ids, which only the newest Firebase libraries
    # register. FCM takes either in this field (firebase-android-sdk, thread 8316), so phones old and new are served.
    firebase_message.token = message.token
    return firebase_message


def _result_of(error: exceptions.FirebaseError | None) -> PushResult:
    if error is None:
        # A good status with an answer that names no message.
        return PushResult(PushOutcome.TRY_AGAIN, "unknown")
    kind = str(error.code).lower()
    if isinstance(error, messaging.UnregisteredError):
        return PushResult(PushOutcome.TOKEN_DEAD, "unregistered")
    if isinstance(error, messaging.SenderIdMismatchError):
        return PushResult(PushOutcome.TOKEN_DEAD, "sender_id_mismatch")
    if isinstance(error, exceptions.InvalidArgumentError):
        outcome = PushOutcome.TOKEN_DEAD if _is_about_the_token(error) else PushOutcome.REFUSED
        return PushResult(outcome, kind)
    if isinstance(error, messaging.QuotaExceededError):
        kind = "quota_exceeded"
    return PushResult(PushOutcome.TRY_AGAIN, kind, _retry_after_seconds(error))


def _is_about_the_token(error: exceptions.FirebaseError) -> bool:
    """FCM answers INVALID_ARGUMENT for a malformed token and for a malformed message; only the first is the token's."""
    try:
        problem = error.http_response.json()["error"]
        fields = {
            violation.get("field")
            for detail in problem.get("details", [])
            for violation in detail.get("fieldViolations", [])
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return "message.token" in fields or "registration token" in str(problem.get("message", "")).lower()


def _retry_after_seconds(error: exceptions.FirebaseError) -> float | None:
    response = error.http_response
    if response is None:
        return None
    return seconds_of(response.headers.get("Retry-After"), response.headers.get("Date"))


def seconds_of(retry_after: str | None, answered_on: str | None) -> float | None:
    """What a Retry-After header asks for: seconds or, by RFC 9110, a date; None where it is missing or unreadable.

    A date is measured against the answer's own date, so that no clock of ours matters.
    """
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    if not answered_on:
        return None
    try:
        wait = parsedate_to_datetime(retry_after) - parsedate_to_datetime(answered_on)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())
