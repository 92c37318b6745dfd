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
def running(settings: Settings, database: str, log_folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start API and worker on `database`, wait until both answer, and stop both at the end, whatever happens.

    Raises StartRefused, with the last lines of the log, when one of them ends early.
    """
    environment = os.environ | {
        "DATABASE_URL": database,
        "SOOM_DEMO": "1",
        "SOOM_HOST": settings.host,
        "SOOM_PORT": str(settings.port),
        "SOOM_DATA_FOLDER": str(settings.data_folder),
    }
    log_folder.mkdir(parents=True, exist_ok=True)
    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as logs:
        try:
            for role in ("serve", "worker"):
                log = logs.enter_context((log_folder / f"{role}.log").open("wb"))
                processes.append(
                    # A session of its own: Ctrl-C reaches this process alone, which then ends the two in order.
                    subprocess.Popen(  # noqa: S603 (our own program)
                        [sys.executable, "-m", "backend.cli", role],
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                )
            _wait_until_healthy(settings, processes, log_folder)
            yield processes
        finally:
            stop(processes)


def _wait_until_healthy(settings: Settings, processes: list[subprocess.Popen[bytes]], log_folder: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        for process, role in zip(processes, ("serve", "worker"), strict=True):
            if process.poll() is not None:
                last = (log_folder / f"{role}.log").read_text(errors="replace").splitlines()[-15:]
                raise StartRefused("\n".join([f"“soom {role}” ended as soon as it was started:", *last]))
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{settings.address}/health", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise StartRefused(f"The server did not become healthy within {START_SECONDS} s; see {log_folder}.")


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
