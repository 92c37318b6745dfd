"""What a machine may lack: nobody to ask for a finger, no links that open Soom, no shelf but its own folder."""

from collections.abc import Callable
from pathlib import Path


class NobodyToAsk:
    """No check of who holds it; the PIN is the way in."""

    def can_be_asked(self) -> bool:
        """Never."""
        return False

    def ask(self, title: str, other_way: str, answer: Callable[[bool], None]) -> None:
        """Leads to the other way."""
        answer(False)


class NoLinks:
    """Nothing opens Soom by a link."""

    def opened(self) -> str | None:
        """Never any."""
        return None


class OwnFolder:
    """On a desk files are found where they were written."""

    def put(self, file: Path, kind: str) -> str:
        """Leaves it there."""
        return str(file)
