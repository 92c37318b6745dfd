"""The README's first command, as a person runs it: processes of their own, real diaries, Ctrl-C, and nothing left."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

from backend.demonstration.processes import free_port

pytestmark = pytest.mark.timeout(900)
SOOM = [sys.executable, "-m", "backend.cli"]


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return kept | {"SOOM_DATA_FOLDER": str(folder / "soom"), "SOOM_PORT": str(free_port("127.0.0.1", 18500))}


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that still work in `folder`: Soom's, by their environment, and PostgreSQL's."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = str(folder) in " ".join(process.cmdline()) or str(folder) in process.environ().get(
                "SOOM_DATA_FOLDER", ""
            )
            if mine and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_the_diaries_of_aamos00_go_all_the_way_in_one_command(shared_data: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [*SOOM, "demo", "--once", "--diaries", str(shared_data / "aamos00")],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert list(counts) == [
        "patients",
        "rows",
        "rows_accepted",
        "rows_refused",
        "entries",
        "assessments",
        "alerts",
        "deliveries",
        "seconds",
    ]
    assert counts["patients"] == 14
    assert counts["rows"] == 3962 == counts["rows_accepted"] + counts["rows_refused"]
    # 57 peak-flow sessions give no blows, or blows that contradict their own maximum.
    assert counts["rows_refused"] == 57
    assert min(counts["entries"], counts["assessments"], counts["alerts"], counts["deliveries"]) > 0
    assert "the blows are not recorded" in done.stderr
    assert "No alert is open" not in done.stderr
    assert "ranks above one without" in done.stderr
    assert processes_of(tmp_path) == []


@contextmanager
def demonstration(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The address and what was printed until it was ready; Ctrl-C at the end."""
    process = subprocess.Popen(
        [*SOOM, "demo"], env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    lines: queue.Queue[str] = queue.Queue()
    reader = threading.Thread(target=_pass_on, args=(process.stderr, lines))
    reader.start()
    printed: list[str] = []
    while not any("Ctrl-C" in line for line in printed):
        printed.append(lines.get(timeout=300))
    (address,) = (word for line in printed for word in line.split() if word.startswith("http://"))
    try:
        yield address, printed
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        reader.join()
        process.stderr.close()


def _pass_on(source: IO[str], lines: "queue.Queue[str]") -> None:
    for line in source:
        lines.put(line)


def patients_seen_by_the_clinician(address: str) -> int:
    with httpx.Client(base_url=address) as client:
        account = {"email": "doctor@soom.example", "password": "breathe-in-breathe-out"}
        client.post("/v1/clinician/sign-in", json=account).raise_for_status()
        return int(client.get("/v1/clinician/patients").raise_for_status().json()["total"])


def test_the_demonstration_runs_until_ctrl_c_leaves_no_process_and_keeps_its_clinic(tmp_path: Path) -> None:
    with demonstration(tmp_path) as (address, printed):
        assert any("Filling the clinic" in line for line in printed)
        assert httpx.get(f"{address}/health").json()["status"] == "ok"
        assert patients_seen_by_the_clinician(address) == 24
    assert processes_of(tmp_path) == []

    with demonstration(tmp_path) as (address, printed):
        assert not any("Filling" in line for line in printed)
        assert patients_seen_by_the_clinician(address) == 24
    assert processes_of(tmp_path) == []


def test_the_demonstration_refuses_to_be_open_to_other_machines(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SOOM, "demo"],
        env=environment(tmp_path) | {"SOOM_HOST": "0.0.0.0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "this machine only" in done.stderr
