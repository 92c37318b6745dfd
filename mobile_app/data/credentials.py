"""Where the server is and what lets this phone in, sealed in the same file as the diary."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from mobile_app.data.database import PhoneDatabase


class AddressRefused(ValueError):
    """The text is no server address that a diary may be sent to. The argument is a message code."""


def server_address(text: str) -> str:
    """The base address meant by what a person typed, without a trailing slash.

    Raises AddressRefused: plain http is accepted only inside the home or hospital network, since a diary is
    private.
    """
    text = text.strip().rstrip("/")
    if not text:
        raise AddressRefused("address_missing")
    if "://" not in text:
        text = ("http://" if _is_private(text.partition("/")[0].rpartition(":")[0] or text) else "https://") + text
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        raise AddressRefused("address_unreadable")
    if parts.scheme == "http" and not _is_private(parts.hostname):
        raise AddressRefused("address_not_encrypted")
    return text


def _is_private(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Tokens:
    """A short-lived access token and the refresh token that is good for one renewal."""

    patient_id: str
    access_token: str
    refresh_token: str
    role: str = "patient"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code and an address that were given at the start, for instance from a scanned link."""

    address: str
    code: str


class OtherPatient(Exception):
    """The code belongs to another person than this diary."""


class Credentials:
    """Reads and keeps the enrolment of this diary."""

    def __init__(self, database: PhoneDatabase) -> None:
        self._database = database

    @property
    def address(self) -> str | None:
        """The server's base address, or None before enrolment."""
        known = self._database.setting("server_address")
        return None if known is None else str(known)

    @property
    def tokens(self) -> Tokens | None:
        """The current tokens, or None when this phone is not (or no longer) signed in."""
        known = self._database.setting("tokens")
        return None if known is None else Tokens(**known)

    @property
    def patient_id(self) -> str | None:
        """Whose diary this is; it stays when the sign-in is lost."""
        known = self._database.setting("patient_id")
        return None if known is None else str(known)

    @property
    def is_carer(self) -> bool:
        """Whether this is a carer's phone, which may write and not correct or delete."""
        return bool(self._database.setting("role") == "carer")

    def enrolled(self, address: str, tokens: Tokens) -> None:
        """Keeps a new enrolment. Raises OtherPatient when the diary already belongs to someone else."""
        with self._database.transaction():
            if self.patient_id not in (None, tokens.patient_id):
                raise OtherPatient("this diary belongs to another person")
            self._database.keep_setting("patient_id", tokens.patient_id)
            self._database.keep_setting("server_address", address)
            self.renewed(tokens)

    def renewed(self, tokens: Tokens) -> None:
        """Keeps renewed tokens durably; the old refresh token is worthless from here on."""
        self._database.keep_setting("role", tokens.role)
        self._database.keep_setting(
            "tokens",
            {
                "patient_id": tokens.patient_id,
                "access_token": tokens.access_token,
                "refresh_token": tokens.refresh_token,
                "role": tokens.role,
            },
        )

    def renewal_attempt(self, tokens: Tokens) -> str:
        """The id under which these tokens are renewed, kept before it is first sent.

        When the answer is lost, asking again under the same id tells the server that this is no stolen token.
        """
        known = self._database.setting("renewal_attempt")
        if known is None or known["refresh_token"] != tokens.refresh_token:
            known = {"refresh_token": tokens.refresh_token, "id": str(uuid4())}
            self._database.keep_setting("renewal_attempt", known)
        return str(known["id"])

    def lost(self) -> None:
        """The server no longer accepts this phone; the diary stays."""
        self._database.keep_setting("tokens", None)
