"""Who saw and used the diary, links, carers' phones, watch and snoozes: asked of the server, kept for later."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import instant_from_wire, instant_to_wire
from mobile_app.data.server import ServerUnreachable, SoomServer


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody looked at the diary on one of the patient's days. ``role`` is clinician or guest."""

    on: date
    role: str
    name: str
    times: int


@dataclass(frozen=True, slots=True)
class ResearchUse:
    """A study, an export or a training round that took this diary. ``text``: the same in the clinic's sentence."""

    kind: str
    title: str
    purpose: str
    first_on: date
    last_on: date
    times: int
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link to the report. ``address`` is known only to the phone that made it."""

    id: str
    label: str
    expires_at: datetime
    opened_count: int
    last_opened_at: datetime | None
    address: str | None


@dataclass(frozen=True, slots=True)
class OtherPhone:
    """A phone on this diary. ``role`` is patient or carer."""

    id: str
    name: str
    role: str
    last_seen_at: datetime | None
    is_this_phone: bool


@dataclass(frozen=True, slots=True)
class CarerCode:
    """Lets one more phone in; ``link`` is the same for a camera."""

    code: str
    expires_at: datetime
    link: str


@dataclass(frozen=True, slots=True)
class WatchPhone:
    """A phone that warnings can reach."""

    id: str
    name: str
    role: str
    is_this_phone: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Until then ``phone_id`` rings for red warnings alone, and ``to_phone_id`` for all."""

    phone_id: str
    to_phone_id: str
    until: datetime


class SharingPapers:
    """What the server said last, sealed beside the diary."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database

    def accesses(self) -> list[Access] | None:
        """Newest first; None before the server was ever asked."""
        kept = self._database.setting("accesses")
        if kept is None:
            return None
        return [
            Access(date.fromisoformat(one["on"]), str(one["role"]), str(one["name"]), int(one["times"])) for one in kept
        ]

    def research_uses(self) -> list[ResearchUse] | None:
        """Newest first; None before the server was ever asked."""
        kept = self._database.setting("uses")
        if kept is None:
            return None
        return [
            ResearchUse(
                kind=str(one["kind"]),
                title=str(one["title"]),
                purpose=str(one["purpose"]),
                first_on=date.fromisoformat(one["first_on"]),
                last_on=date.fromisoformat(one["last_on"]),
                times=int(one["times"]),
                text=str(one["text"]),
            )
            for one in kept
        ]

    def links(self, now: datetime) -> list[Link]:
        """Links that still open, newest first."""
        addresses = self._database.setting("link_addresses", {})
        found = [
            Link(
                id=one["id"],
                label=one["label"],
                expires_at=instant_from_wire(one["expires_at"]),
                opened_count=int(one["opened_count"]),
                last_opened_at=_instant(one["last_opened_at"]),
                address=addresses.get(one["id"]),
            )
            for one in self._database.setting("links", [])
        ]
        return [link for link in found if link.expires_at > now]

    def phones(self) -> list[OtherPhone]:
        """All phones on this diary, newest first."""
        return [
            OtherPhone(one["id"], one["name"], one["role"], _instant(one["last_seen_at"]), bool(one["is_this_phone"]))
            for one in self._database.setting("phones", [])
        ]

    def watch_phones(self) -> list[WatchPhone]:
        """All phones that warnings can reach, the patient's own first; empty before the server was ever asked."""
        return [
            WatchPhone(one["id"], one["name"], one["role"], bool(one["is_this_phone"]))
            for one in self._database.setting("watch", {}).get("phones", [])
        ]

    def watches(self, now: datetime) -> list[Watch]:
        """Hand-overs that are not over."""
        found = [
            Watch(one["device_id"], one["to_device_id"], instant_from_wire(one["until"]))
            for one in self._database.setting("watch", {}).get("watches", [])
        ]
        return [watch for watch in found if watch.until > now]

    def rests_here(self, now: datetime) -> bool:
        """Whether this phone has handed the watch away."""
        here = {phone.id for phone in self.watch_phones() if phone.is_this_phone}
        return any(watch.phone_id in here for watch in self.watches(now))

    def snoozed_until(self, alert_id: str, now: datetime) -> datetime | None:
        """Until when a warning rests that this phone put off; None when it does not, or no longer."""
        until = _instant(self._database.setting("snoozes", {}).get(alert_id))
        return until if until is not None and until > now else None


class Sharing:
    """Asks the server; every call blocks, and raises what SoomServer.ask raises. The answers are kept."""

    def __init__(self, database: PhoneDatabase, server: SoomServer) -> None:
        self._database = database
        self._server = server

    def fetch_accesses(self) -> None:
        """Who saw the diary."""
        self._keep("accesses", self._server.ask("GET", "/v1/patient/accesses"))

    def fetch_research_uses(self) -> None:
        """Which studies and training rounds used the diary."""
        self._keep("uses", self._server.ask("GET", "/v1/patient/research"))

    def fetch_links(self) -> None:
        """Links that still open."""
        self._keep("links", self._server.ask("GET", "/v1/patient/links"))

    def make_link(self, label: str, days: int, language: str) -> str:
        """A new link, kept with its address. Returns its id."""
        made = self._server.ask("POST", "/v1/patient/links", {"label": label, "days": days, "language": language})
        with self._database.transaction():
            addresses = self._database.setting("link_addresses", {})
            self._database.keep_setting("link_addresses", {**addresses, _part(made, "id"): _part(made, "address")})
            self._database.keep_setting("links", [made, *self._database.setting("links", [])])
        return str(made["id"])

    def end_link(self, link_id: str) -> None:
        """Takes a link back."""
        self._keep("links", self._server.ask("POST", f"/v1/patient/links/{link_id}/end", {}))

    def make_carer_code(self) -> CarerCode:
        """A code for a carer's phone; it is not kept."""
        made = self._server.ask("POST", "/v1/patient/carer-codes", {})
        return CarerCode(str(_part(made, "code")), instant_from_wire(_part(made, "expires_at")), _part(made, "link"))

    def fetch_phones(self) -> None:
        """Which phones are on this diary."""
        self._keep("phones", self._server.ask("GET", "/v1/patient/phones"))

    def remove_carer(self, phone_id: str) -> None:
        """Shuts a carer's phone out."""
        self._keep("phones", self._server.ask("POST", f"/v1/patient/phones/{phone_id}/removal", {}))

    def fetch_watch(self) -> None:
        """Who gets the warnings."""
        self._keep_watch(self._server.ask("GET", "/v1/patient/watch"))

    def hand_watch(self, phone_id: str, until: datetime) -> None:
        """Lets this phone rest until then, but for red warnings; the other one hears all."""
        body = {"to_device_id": phone_id, "until": instant_to_wire(until)}
        self._keep_watch(self._server.ask("POST", "/v1/patient/watch", body))

    def take_watch_back(self) -> None:
        """From now on this phone rings for all warnings again."""
        self._keep_watch(self._server.ask("DELETE", "/v1/patient/watch"))

    def snooze_alert(self, alert_id: str, hours: int) -> None:
        """Puts an amber warning off."""
        self._keep_snooze(alert_id, self._server.ask("POST", f"/v1/patient/alerts/{alert_id}/snooze", {"hours": hours}))

    def end_snooze(self, alert_id: str) -> None:
        """Takes it back."""
        self._keep_snooze(alert_id, self._server.ask("DELETE", f"/v1/patient/alerts/{alert_id}/snooze"))

    def _keep_watch(self, answer: dict[str, Any]) -> None:
        self._database.keep_setting("watch", {name: _part(answer, name) for name in ("phones", "watches")})

    def _keep_snooze(self, alert_id: str, answer: dict[str, Any]) -> None:
        # Only the newest: a patient has at most one warning that is not over.
        until = _part(answer, "snoozed_until")
        self._database.keep_setting("snoozes", {} if until is None else {alert_id: until})

    def _keep(self, name: str, answer: dict[str, Any]) -> None:
        self._database.keep_setting(name, _part(answer, name))


def _part(answer: dict[str, Any], name: str) -> Any:
    try:
        return answer[name]
    except KeyError as error:
        raise ServerUnreachable(f"an answer without {name}") from error


def _instant(text: str | None) -> datetime | None:
    return None if text is None else instant_from_wire(text)
