"""What a phone does until it is killed: log, and send. Runs in a process of its own."""

import os
from pathlib import Path

from mobile_app.data.entries import moment_at
from tests.phone.conftest import Phone

SYNC_EVERY = 3


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
