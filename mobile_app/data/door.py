"""The ways from one diary to its server: each opens connections of its own and may be used in any thread."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.journal import Journal
from mobile_app.data.route import has_route
from mobile_app.data.seal import Seal
from mobile_app.data.server import SoomServer
from mobile_app.data.sharing import Sharing
from mobile_app.data.sync import Synchroniser


class Door:
    """Of the diary in one file."""

    def __init__(self, path: Path, seal: Seal, now: Callable[[], datetime]) -> None:
        self._path = path
        self._seal = seal
        self._now = now

    def synchroniser(self) -> Synchroniser | None:
        """None while the phone is not enrolled."""
        database = PhoneDatabase(self._path, self._seal)
        credentials = Credentials(database)
        if credentials.tokens is None:
            database.close()
            return None
        return Synchroniser(database, SoomServer(credentials), self._now)

    def has_route(self) -> bool:
        """Whether there is a network that leads to the server."""
        database = PhoneDatabase(self._path, self._seal)
        address = Credentials(database).address
        database.close()
        return address is not None and has_route(address)

    def enrol(self, address: str, code: str, device_name: str, platform: str) -> None:
        """Trades a code for tokens; blocks. Raises ServerRefused, ServerUnreachable, OtherPatient."""
        database = PhoneDatabase(self._path, self._seal)
        server = SoomServer(Credentials(database))
        try:
            server.enrol(address, code, Journal(database).device_id, device_name, platform)
        finally:
            server.close()
            database.close()

    def ask(self, question: Callable[[Sharing], None]) -> None:
        """Asks about sharing; blocks. Raises what SoomServer.ask raises."""
        database = PhoneDatabase(self._path, self._seal)
        server = SoomServer(Credentials(database))
        try:
            question(Sharing(database, server))
        finally:
            server.close()
            database.close()
