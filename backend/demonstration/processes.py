"""The server and the worker of a demonstration as processes of their own, and their end."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from backend.core.errors import StartRefused
from backend.core.settings import Settings

START_SECONDS = 60
STOP_SECONDS = 15


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or the next port above it that nobody listens on."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise StartRefused(f"Ports {wanted} to {wanted + 49} are all taken; set SOOM_PORT to a free one.")


@contextlib.contextmanager
def running(role: str, settings: Settings, database: str) -> Iterator[None]:
    """Run `soom serve` or `soom worker` on `database` until it answers, and stop it at the end, whatever happens.

    Raises StartRefused, with the last lines of its log, when it ends early.
    """
    environment = os.environ | {
        "DATABASE_URL": database,
        "SOOM_DEMO": "1",
        "SOOM_HOST": settings.host,
        "SOOM_PORT": str(settings.port),
        "SOOM_DATA_FOLDER": str(settings.data_folder),
    }
    log = settings.data_folder / "logs" / f"{role}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches the demonstration alone, which then ends the others in order.
        process = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "backend.cli", role],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_answering(role, settings, process, log)
            yield
        finally:
            stop([process])


def _wait_until_answering(role: str, settings: Settings, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(errors="replace").splitlines()[-15:]
            raise StartRefused("\n".join([f"“soom {role}” ended as soon as it was started:", *last]))
        with contextlib.suppress(httpx.TransportError):
            health = httpx.get(f"{settings.address}/health", timeout=2).json()
            if health["database"] and (health["worker"] or role == "serve"):
                return
        time.sleep(0.1)
    raise StartRefused(f"“soom {role}” did not answer within {START_SECONDS} s; see {log}.")


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
