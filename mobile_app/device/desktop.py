"""Soom on a desk: the system's clock and zone, and secrets in files that only this user can read."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mobile_app.device.ports import ReliabilityCheck


class DesktopClock:
    """The system clock. The zone is looked up where Linux and macOS keep it."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)

    def time_zone(self) -> str:
        """The IANA zone named by TZ or by /etc/localtime; UTC when neither names one."""
        candidates = [os.environ.get("TZ", "").lstrip(":")]
        _, _, below = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
        candidates.append(below)
        for name in candidates:
            if name and _is_zone(name):
                return name
        return "UTC" if time.timezone == 0 else f"Etc/GMT{time.timezone // 3600:+d}"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


class FileKeyStore:
    """Secrets as files with mode 0600 in one folder. A desktop has no key store that Python reaches everywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def read(self, name: str) -> bytes | None:
        """The secret of that name, or None."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, secret: bytes) -> None:
        """Replaces the file in one step, so that a crash leaves the old secret or the new one."""
        fresh = self._folder / f"{name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / name)

    def forget(self, name: str) -> None:
        """Removes the file if it is there."""
        (self._folder / name).unlink(missing_ok=True)


class NoTelephone:
    """A desk has no dialler; the screen shows the number to dial elsewhere."""

    def dial(self, number: str) -> bool:
        """Never dials."""
        return False


class NothingInTheWay:
    """On a desk nothing puts Soom to sleep."""

    def checks(self) -> list[ReliabilityCheck]:
        """Nothing to look at."""
        return []

    def open_settings(self, code: str) -> None:
        """There is no such page."""


def uptime_seconds() -> float:
    """How long the system has been running, sleep included where the system counts it."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)
