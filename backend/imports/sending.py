"""Sends entries through the public endpoint, as a phone does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from backend.sync.schemas import MOST_ENTRIES

Wire = dict[str, Any]


class Answer(Protocol):
    @property
    def status_code(self) -> int: ...
    @property
    def text(self) -> str: ...
    def json(self) -> Any: ...


class HttpClient(Protocol):
    """What is used of an httpx client; a test client of the application serves as well."""

    def post(self, url: str, *, json: Any = None, headers: Mapping[str, str] | None = None) -> Answer: ...


class ServerDeclined(Exception):
    """The server did not take a request as a whole; its answer is in the message."""


def enrol(client: HttpClient, code: str, device_id: UUID, name: str) -> str:
    """Enrol a desktop as a patient's phone with a one-time code, and return its access token."""
    device = {"id": str(device_id), "name": name, "platform": "desktop"}
    return str(_post(client, "/v1/enrol", {"code": code, "device": device}, {})["access_token"])


def send_entries(
    client: HttpClient,
    access_token: str,
    entries: Sequence[Wire],
    *,
    sent_at: datetime,
    on_sent: Callable[[int], object] = lambda _: None,
) -> list[Wire]:
    """Send in batches as large as the server takes; one receipt an entry, in order.

    `on_sent` is called with the number of entries after each batch. Raises ServerDeclined.
    """
    receipts: list[Wire] = []
    for batch in _batches(entries):
        body = {"sent_at": sent_at.isoformat(), "entries": batch}
        receipts += _post(client, "/v1/sync", body, {"Authorization": f"Bearer {access_token}"})["receipts"]
        on_sent(len(batch))
    return receipts


def _batches(entries: Sequence[Wire]) -> Iterator[Sequence[Wire]]:
    for begin in range(0, len(entries), MOST_ENTRIES):
        yield entries[begin : begin + MOST_ENTRIES]


def _post(client: HttpClient, path: str, body: Wire, headers: dict[str, str]) -> Wire:
    answer = client.post(path, json=body, headers=headers)
    if answer.status_code != 200:
        raise ServerDeclined(f"{path} answered {answer.status_code}: {answer.text[:500]}")
    return dict(answer.json())
