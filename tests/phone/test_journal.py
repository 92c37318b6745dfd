import sqlite3
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from mobile_app.data.database import NewerDiary, PhoneDatabase
from mobile_app.data.entries import moment_at
from mobile_app.data.journal import EntryChangedMeanwhile, Receipt, Refusal
from mobile_app.data.seal import Seal, SealBroken
from tests.phone.conftest import Phone

NOTE = {"text": "숨이 차다"}
MORNING = moment_at(datetime(2026, 3, 1, 22, 10, tzinfo=UTC), "Asia/Seoul")


def test_an_entry_is_on_disk_when_record_returns(phone: Phone) -> None:
    entry = phone.journal.record("note", NOTE, MORNING)
    other = Phone(phone.folder)
    kept = other.journal.find("note", entry.id)
    other.close()
    assert kept is not None
    assert kept.entry == entry
    assert not kept.sent


def test_a_moment_keeps_the_patients_own_day() -> None:
    assert MORNING.local_date == date(2026, 3, 2)
    assert MORNING.utc_offset_minutes == 540
    after_midnight = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
    assert moment_at(after_midnight, "UTC", day_starts_at_hour=5).local_date == date(2026, 3, 1)


def test_the_diary_cannot_be_read_without_its_key(phone: Phone) -> None:
    phone.journal.record("note", {"text": "legible secret"}, MORNING)
    phone.database.keep_setting("tokens", {"refresh_token": "legible secret"})
    phone.database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"legible secret" not in (phone.folder / "diary.sqlite").read_bytes()
    stranger = Phone(phone.folder, key=b"x" * 32)
    with pytest.raises(SealBroken):
        stranger.journal.between(date(2026, 3, 1), date(2026, 3, 3))
    stranger.close()


def test_a_diary_of_a_newer_soom_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "d.sqlite") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(NewerDiary):
        PhoneDatabase(tmp_path / "d.sqlite", Seal(b"k" * 32))


def test_a_correction_is_the_next_revision_and_waits_to_be_sent_again(phone: Phone) -> None:
    first = phone.journal.record("note", NOTE, MORNING)
    phone.journal.settle([Receipt("note", first.id, 1, "accepted", None)])
    assert phone.journal.outbox(10) == []
    second = phone.journal.revise(first, {"text": "better"})
    assert second.revision == 2
    assert phone.journal.outbox(10) == [second]


def test_a_receipt_for_an_old_revision_does_not_mark_the_correction_as_sent(phone: Phone) -> None:
    first = phone.journal.record("note", NOTE, MORNING)
    second = phone.journal.revise(first, {"text": "better"})
    phone.journal.settle([Receipt("note", first.id, 1, "accepted", None)])
    assert phone.journal.outbox(10) == [second]


def test_a_deleted_entry_leaves_the_diary_and_comes_back_on_undo(phone: Phone) -> None:
    entry = phone.journal.record("note", NOTE, MORNING)
    tombstone = phone.journal.delete(entry)
    assert phone.journal.between(date(2026, 3, 1), date(2026, 3, 3)) == []
    assert phone.journal.days_before(date(2027, 1, 1), 5) == []
    revived = phone.journal.revise(tombstone, entry.body)
    assert revived.revision == 3
    assert [kept.entry for kept in phone.journal.between(date(2026, 3, 1), date(2026, 3, 3))] == [revived]


def test_correcting_what_another_phone_changed_meanwhile_is_told_and_loses_nothing(phone: Phone) -> None:
    seen = phone.journal.record("note", NOTE, MORNING)
    phone.journal.revise(seen, {"text": "from elsewhere"})
    with pytest.raises(EntryChangedMeanwhile):
        phone.journal.revise(seen, {"text": "mine"})
    kept = phone.journal.find("note", seen.id)
    assert kept is not None
    assert kept.entry.body == {"text": "from elsewhere"}


def test_a_refused_entry_stays_with_its_reason_until_it_is_corrected(phone: Phone) -> None:
    entry = phone.journal.record("note", NOTE, MORNING)
    refusal = Refusal("too_long", "The note is too long.", "body.text")
    phone.journal.settle([Receipt("note", entry.id, 1, "refused", refusal)])
    assert phone.journal.outbox(10) == []
    assert [kept.refusal for kept in phone.journal.refused()] == [refusal]
    assert (phone.journal.outbox_count().waiting, phone.journal.outbox_count().refused) == (0, 1)
    corrected = phone.journal.revise(entry, {"text": "short"})
    assert phone.journal.outbox(10) == [corrected]
    assert phone.journal.refused() == []
