"""Joining the clinic with a one-time code."""

import re
from collections.abc import Callable

from mobile_app.data.credentials import AddressRefused, OtherPatient, server_address
from mobile_app.data.server import ServerRefused, ServerUnreachable
from mobile_app.locales import Wording

_CODE = re.compile(r"[A-Z0-9]{4}-[A-Z0-9]{4}")


class Enrolment:
    """The code and the address typed so far, and how the attempt went.

    ``enrol(address, code)`` blocks and runs where ``in_background(work, then)`` puts it; ``then`` is called on the
    UI thread with the exception or None.
    """

    def __init__(
        self,
        wording: Wording,
        enrol: Callable[[str, str], None],
        in_background: Callable[[Callable[[], None], Callable[[Exception | None], None]], None],
        on_enrolled: Callable[[], None],
    ) -> None:
        self._wording = wording
        self._enrol = enrol
        self._in_background = in_background
        self._on_enrolled = on_enrolled
        self.code = ""
        self.address = ""
        self.busy = False
        self.problem: str | None = None
        self.on_change: Callable[[], None] = lambda: None

    def read_qr(self, text: str) -> bool:
        """Takes code and address from a scanned ``soom://enrol?code=…&server=…`` text; False if it is none."""
        found = re.fullmatch(r"soom://enrol\?code=([A-Z0-9-]+)&server=(\S+)", text.strip())
        if found is None:
            return False
        self.code, self.address = found.group(1), found.group(2)
        self.on_change()
        return True

    def submit(self) -> None:
        """Checks what was typed and asks the server; the answer arrives through ``problem`` or ``on_enrolled``."""
        if self.busy:
            return
        code = normal_code(self.code)
        try:
            address = server_address(self.address)
        except AddressRefused as refused:
            self._fail(f"enrol.{refused}")
            return
        if not _CODE.fullmatch(code):
            self._fail("enrol.code_unreadable")
            return
        self.busy, self.problem = True, None
        self.on_change()
        self._in_background(lambda: self._enrol(address, code), self._answered)

    def _answered(self, error: Exception | None) -> None:
        self.busy = False
        if error is None:
            self._on_enrolled()
        elif isinstance(error, ServerUnreachable):
            self._fail("enrol.unreachable")
        elif isinstance(error, OtherPatient):
            self._fail("enrol.other_patient")
        elif isinstance(error, ServerRefused):
            key = f"enrol.{error.code}"
            if self._wording.knows(key):
                self._fail(key)
            else:
                self.problem = error.message
                self.on_change()
        else:
            raise error

    def _fail(self, key: str) -> None:
        self.problem = self._wording.say(key)
        self.on_change()


def normal_code(typed: str) -> str:
    """The code as ABCD-EFGH whatever case, spaces or hyphens were typed."""
    letters = re.sub(r"[^A-Z0-9]", "", typed.upper())
    return f"{letters[:4]}-{letters[4:]}"
