"""What the patient agreed to: decided on this phone, told to the server when it can be reached, learnt from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import instant_from_wire

PURPOSES = ("care", "forecasting", "research", "federated_learning")
# Of the words on the consent pages; a change of their sense needs another version.
TEXT_VERSION = "2026-11"


@dataclass(frozen=True, slots=True)
class Consent:
    """Where one purpose stands; ``told`` is False until the server knows."""

    purpose: str
    given: bool
    since: datetime | None
    told: bool


class Consents:
    """The consents of one diary."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database

    def all(self) -> list[Consent]:
        """Every purpose, in the order of PURPOSES; one never heard of is not given."""
        known = self._known()
        return [self._consent(purpose, known.get(purpose)) for purpose in PURPOSES]

    @property
    def may_send(self) -> bool:
        """Whether the diary may leave this phone. Enrolling with a code is agreeing, until it is withdrawn."""
        return bool(self._known().get("care", {"given": True})["given"])

    def decide(self, purpose: str, given: bool, at: datetime) -> None:
        """Keeps a decision; it holds on this phone at once."""
        self._keep(purpose, {"given": given, "since": at.isoformat(), "told": False})

    def untold(self) -> list[Consent]:
        """Decisions that the server does not know yet."""
        return [one for one in self.all() if not one.told]

    def told(self, consent: Consent) -> None:
        """The server knows this decision, if no newer one was made meanwhile."""
        with self._database.transaction():
            known = self._known().get(consent.purpose)
            if known is not None and known["given"] == consent.given:
                self._keep(consent.purpose, {**known, "told": True})

    def absorb(self, wire: Iterable[dict[str, Any]]) -> None:
        """Takes over what the server holds; a decision that it does not know yet stays."""
        with self._database.transaction():
            known = self._known()
            for one in wire:
                if known.get(one["purpose"], {}).get("told", True):
                    self._keep(one["purpose"], {"given": bool(one["given"]), "since": one["since"], "told": True})

    def withdrawn_elsewhere(self) -> None:
        """The server no longer takes this diary: the patient withdrew on another phone."""
        self._keep("care", {"given": False, "since": None, "told": True})

    def _known(self) -> dict[str, dict[str, Any]]:
        return dict(self._database.setting("consents", {}))

    def _keep(self, purpose: str, content: dict[str, Any]) -> None:
        self._database.keep_setting("consents", {**self._known(), purpose: content})

    def _consent(self, purpose: str, known: dict[str, Any] | None) -> Consent:
        if known is None:
            return Consent(purpose, False, None, True)
        since = instant_from_wire(known["since"]) if known["since"] else None
        return Consent(purpose, bool(known["given"]), since, bool(known["told"]))
