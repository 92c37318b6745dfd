"""A phone that logs and sends until it is killed, and what is left of its diary afterwards."""

import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mobile_app.data.credentials import Credentials
from mobile_app.data.database import PhoneDatabase
from mobile_app.data.entries import moment_at
from mobile_app.data.seal import Seal
from mobile_app.data.server import SoomServer
from tests.fakes.soom_server import SoomServerFake, running
from tests.phone.conftest import Phone

SYNC_EVERY = 3
SEED = 20260302

# What a first conversation loads is loaded with this module, once in the fork server: each of the killed phones would
# spend more time on it than on its diary.
SoomServer(Credentials(PhoneDatabase(Path(":memory:"), Seal(b"k" * 32)))).close()


@dataclass(frozen=True)
class Aftermath:
    """``promised``: entries whose write had returned. Lost and doubled ones should be none."""

    kills: int
    promised: int
    lost: int
    older_than_promised: int
    doubled: int
    is_whole: bool
    restores_identically: bool


def log_and_sync_for_ever(folder: str, told: str) -> None:
    """Writes each entry's id to the file ``told`` only after record() has returned."""
    phone = Phone(Path(folder), is_durable=True)
    ledger = os.open(told, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    count = 0
    while True:
        count += 1
        entry = phone.journal.record("note", {"text": "x" * 200}, moment_at(phone.clock.now(), "Asia/Seoul"))
        os.write(ledger, f"{entry.id} 1\n".encode())
        if count % 2 == 0:
            revised = phone.journal.revise(entry, {"text": "corrected"})
            os.write(ledger, f"{entry.id} {revised.revision}\n".encode())
        if count % SYNC_EVERY == 0:
            phone.synchroniser.run()


def kill_a_phone(kills: int, place: Path) -> Aftermath:
    """Kills a phone so many times at seeded random moments, then sends what is left and restores it elsewhere."""
    fake = SoomServerFake()
    with running(fake) as address:
        folder, told = place / "phone", place / "told"
        phone = Phone(folder, is_durable=True)
        phone.enrol(address)
        phone.close()
        told.touch()
        _kill(kills, folder, told)
        return _look(kills, fake, address, place)


def _kill(kills: int, folder: Path, told: Path) -> None:
    # A fork server that has imported everything: each phone is logging within milliseconds of its start.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.phone.killed_phone"])
    moments = Random(SEED)
    for number in range(kills):
        length = told.stat().st_size
        living = processes.Process(target=log_and_sync_for_ever, args=(str(folder), str(told)), daemon=True)
        living.start()
        # Every fifth is killed while it is still opening its diary, the others once they have begun to log.
        while number % 5 and told.stat().st_size == length and living.exitcode is None:
            living.join(timeout=0.002)
        living.join(timeout=moments.uniform(0.0, 0.04))
        if living.exitcode is not None:
            raise RuntimeError(f"the phone ended by itself with {living.exitcode}")
        living.kill()
        living.join()
        living.close()


def _look(kills: int, fake: SoomServerFake, address: str, place: Path) -> Aftermath:
    promised: dict[str, int] = {}
    for line in (place / "told").read_text().splitlines():
        entry_id, text = line.split()
        promised[entry_id] = max(promised.get(entry_id, 0), int(text))
    survivor = Phone(place / "phone", is_durable=True)
    connection = survivor.database.connection
    is_whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = {entry_id: survivor.journal.find("note", entry_id) for entry_id in promised}
    is_whole = is_whole and survivor.synchroniser.run().problem is None
    is_whole = is_whole and survivor.journal.outbox_count().waiting == 0
    on_phone = connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    restored = Phone(place / "restored")
    restored.enrol(address)
    restored.synchroniser.run()
    aftermath = Aftermath(
        kills=kills,
        promised=len(promised),
        lost=sum(one is None for one in kept.values()),
        older_than_promised=sum(
            one is not None and one.entry.revision < promised[entry_id] for entry_id, one in kept.items()
        ),
        doubled=abs(len(fake.versions) - on_phone),
        is_whole=is_whole,
        restores_identically=restored.journal.digest() == survivor.journal.digest(),
    )
    restored.close()
    survivor.close()
    return aftermath
