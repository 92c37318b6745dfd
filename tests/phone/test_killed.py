import multiprocessing
from pathlib import Path
from random import Random

from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import Phone
from tests.phone.killed_phone import log_and_sync_for_ever

KILLS = 200


def test_a_phone_killed_at_any_moment_loses_nothing_and_doubles_nothing(
    server: tuple[SoomServerFake, str], tmp_path: Path
) -> None:
    fake, address = server
    folder, told = tmp_path / "phone", tmp_path / "told"
    phone = Phone(folder)
    phone.enrol(address)
    phone.close()
    told.touch()
    # A fork server that has imported everything: each phone is logging within milliseconds of its start.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.phone.killed_phone"])
    moments = Random(20260302)
    for number in range(KILLS):
        length = told.stat().st_size
        living = processes.Process(target=log_and_sync_for_ever, args=(str(folder), str(told)), daemon=True)
        living.start()
        # Every fifth is killed while it is still opening its diary, the others once they have begun to log.
        while number % 5 and told.stat().st_size == length and living.exitcode is None:
            living.join(timeout=0.002)
        living.join(timeout=moments.uniform(0.0, 0.04))
        assert living.exitcode is None, "the phone must not end by itself"
        living.kill()
        living.join()
        living.close()
    promised: dict[str, int] = {}
    for line in told.read_text().splitlines():
        entry_id, text = line.split()
        promised[entry_id] = max(promised.get(entry_id, 0), int(text))
    assert len(promised) >= KILLS * 4 / 5, "the phones must have got somewhere between the kills"

    survivor = Phone(folder)
    assert survivor.database.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for entry_id, revision in promised.items():
        kept = survivor.journal.find("note", entry_id)
        assert kept is not None, "a promised entry was lost"
        assert kept.entry.revision >= revision
    assert survivor.synchroniser.run().problem is None
    assert survivor.journal.outbox_count().waiting == 0
    on_phone = survivor.database.connection.execute("SELECT count(*) FROM entry").fetchone()[0]
    assert len(fake.versions) == on_phone
    restored = Phone(tmp_path / "restored")
    restored.enrol(address)
    assert restored.synchroniser.run().problem is None
    assert restored.journal.digest() == survivor.journal.digest()
    restored.close()
    survivor.close()
