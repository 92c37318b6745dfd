"""The phone's side of the wire, version 1."""

import gzip
import json
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import httpx

from mobile_app.data.credentials import Credentials, Tokens
from mobile_app.data.entries import Entry, entry_from_wire, instant_from_wire, instant_to_wire
from mobile_app.data.journal import Receipt, receipt_from_wire
from mobile_app.data.ledger import KeptOccurrence, OccurrenceReceipt, PushReceipt

# Below this the gzip header and the effort cost more than they save.
_GZIP_FROM_BYTES = 1_000
# A refresh token is good once: the exchange in the background and a page that asks must not both spend it.
_RENEWING = threading.Lock()
_TIMEOUT = httpx.Timeout(20.0, connect=8.0)


PAPERS = ("profile", "consents", "inhalers", "plan", "forecast", "inbox")


class ServerUnreachable(Exception):
    """No answer, or one that is not Soom's: nothing is known to be wrong with the diary. Try again later."""


class ServerRefused(Exception):
    """The server answered and declined."""

    def __init__(self, status: int, code: str, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_seconds = retry_after_seconds


class SignInLost(Exception):
    """Neither token is accepted; the patient needs a new enrolment code."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one POST carries, each at most 200. ``phone``: what this phone says of itself."""

    entries: Sequence[Entry] = ()
    occurrences: Sequence[KeptOccurrence] = ()
    push_receipts: Sequence[PushReceipt] = ()
    phone: dict[str, Any] | None = None
    push_token: str | None = None

    def to_wire(self, sent_at: datetime) -> dict[str, Any]:
        """The body of POST /v1/sync; what there is nothing of is left out."""
        wire: dict[str, Any] = {
            "sent_at": instant_to_wire(sent_at),
            "push_token": self.push_token,
            "entries": [entry.to_wire() for entry in self.entries],
        }
        if self.occurrences:
            wire["occurrences"] = [occurrence.to_wire() for occurrence in self.occurrences]
        if self.push_receipts:
            wire["push_receipts"] = [receipt.to_wire() for receipt in self.push_receipts]
        if self.phone is not None:
            wire["phone"] = self.phone
        return wire


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """The server's clock and one receipt for each entry and each occurrence sent."""

    server_time: datetime
    receipts: list[Receipt]
    occurrence_receipts: list[OccurrenceReceipt]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of changes since a cursor."""

    server_time: datetime
    cursor: str
    more: bool
    entries: list[Entry]
    papers: dict[str, Any]


class SoomServer:
    """One enrolled phone's conversation with its server. Not shared between threads."""

    def __init__(self, credentials: Credentials, transport: httpx.BaseTransport | None = None) -> None:
        self._credentials = credentials
        headers = {"Accept": "application/json"}
        self._client = httpx.Client(timeout=_TIMEOUT, transport=transport, headers=headers, verify=_authorities())

    def enrol(self, address: str, code: str, device_id: str, device_name: str, platform: str) -> Tokens:
        """Trades a one-time code for tokens and keeps them. Raises ServerRefused, ServerUnreachable, OtherPatient."""
        device = {"id": device_id, "name": device_name, "platform": platform}
        wire = self._ask("POST", f"{address}/v1/enrol", {"code": code, "device": device})
        tokens = _tokens(wire, wire.get("patient_id"))
        self._credentials.enrolled(address, tokens)
        return tokens

    def push(self, parcel: Parcel, sent_at: datetime) -> PushAnswer:
        """Sends a parcel. Raises ServerUnreachable, ServerRefused, SignInLost."""
        wire = self._ask_signed_in("POST", "/v1/sync", parcel.to_wire(sent_at))
        try:
            return PushAnswer(
                instant_from_wire(wire["server_time"]),
                [receipt_from_wire(one) for one in wire["receipts"]],
                [
                    OccurrenceReceipt(
                        str(one["key"]), str(one["local_date"]), int(one["revision"]), str(one["outcome"])
                    )
                    for one in wire.get("occurrence_receipts") or []
                ],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ServerUnreachable(f"unreadable receipts: {error!r}") from error

    def pull(self, cursor: str, limit: int = 500) -> Page:
        """What changed after the cursor. Raises ServerUnreachable, ServerRefused, SignInLost."""
        wire = self._ask_signed_in("GET", "/v1/sync", params={"cursor": cursor, "limit": str(limit)})
        try:
            return Page(
                server_time=instant_from_wire(wire["server_time"]),
                cursor=str(wire["cursor"]),
                more=bool(wire["more"]),
                entries=[entry_from_wire(one) for one in wire["entries"]],
                papers={name: wire.get(name) for name in PAPERS},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ServerUnreachable(f"unreadable page: {error!r}") from error

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Any other question of an enrolled phone. Raises ServerUnreachable, ServerRefused, SignInLost."""
        return self._ask_signed_in(method, path, body)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def _ask_signed_in(
        self, method: str, path: str, body: dict[str, Any] | None = None, params: dict[str, str] | None = None
    ) -> dict[str, Any]:
        tokens = self._credentials.tokens
        address = self._credentials.address
        if tokens is None or address is None:
            raise SignInLost("not enrolled")
        try:
            return self._ask(method, address + path, body, params, tokens.access_token)
        except ServerRefused as refused:
            if refused.status != 401:
                raise
        renewed = self._renew(address, tokens)
        try:
            return self._ask(method, address + path, body, params, renewed.access_token)
        except ServerRefused as refused:
            if refused.status != 401:
                raise
            self._credentials.lost()
            raise SignInLost(refused.code) from refused

    def _renew(self, address: str, tokens: Tokens) -> Tokens:
        with _RENEWING:
            kept = self._credentials.tokens
            if kept is not None and kept != tokens:
                return kept
            return self._renew_alone(address, tokens)

    def _renew_alone(self, address: str, tokens: Tokens) -> Tokens:
        try:
            attempt_id = self._credentials.renewal_attempt(tokens)
            body = {"refresh_token": tokens.refresh_token, "attempt_id": attempt_id}
            wire = self._ask("POST", f"{address}/v1/token", body)
        except ServerRefused as refused:
            if refused.status != 401:
                raise
            self._credentials.lost()
            raise SignInLost(refused.code) from refused
        renewed = _tokens(wire, tokens.patient_id)
        self._credentials.renewed(renewed)
        return renewed

    def _ask(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None = None,
        params: dict[str, str] | None = None,
        access_token: str | None = None,
    ) -> dict[str, Any]:
        headers: dict[str, str] = {}
        content: bytes | None = None
        if access_token is not None:
            headers["Authorization"] = f"Bearer {access_token}"
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            headers["Content-Type"] = "application/json"
            if len(content) >= _GZIP_FROM_BYTES:
                content = gzip.compress(content, compresslevel=5)
                headers["Content-Encoding"] = "gzip"
        try:
            answer = self._client.request(method, url, content=content, params=params, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerUnreachable(str(error) or type(error).__name__) from error
        try:
            wire = answer.json()
        except ValueError as error:
            # A hotel's sign-in page, for instance.
            raise ServerUnreachable(f"HTTP {answer.status_code} without JSON") from error
        if not isinstance(wire, dict):
            raise ServerUnreachable(f"HTTP {answer.status_code} with a JSON {type(wire).__name__}")
        if answer.status_code >= 500:
            raise ServerUnreachable(f"HTTP {answer.status_code}")
        if answer.status_code >= 400:
            raise ServerRefused(
                answer.status_code,
                str(wire.get("code", "unknown")),
                str(wire.get("message", "")),
                _seconds(answer.headers.get("Retry-After")),
            )
        return wire


@cache
def _authorities() -> ssl.SSLContext:
    """Whose certificates are trusted: read once, since that takes longer than a request."""
    return httpx.create_ssl_context()


def _tokens(wire: dict[str, Any], patient_id: Any) -> Tokens:
    try:
        role = str(wire.get("role", "patient"))
        return Tokens(str(patient_id), str(wire["access_token"]), str(wire["refresh_token"]), role)
    except KeyError as error:
        raise ServerUnreachable(f"tokens without {error}") from error


def _seconds(retry_after: str | None) -> float | None:
    try:
        return None if retry_after is None else float(retry_after)
    except ValueError:
        return None
