"""The Python side of alarms and notifications, over a stand-in for pyjnius that keeps what Java would keep."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mobile_app.device.android_downloads import AndroidDownloads
from mobile_app.device.android_links import AndroidLinks
from mobile_app.device.android_notices import AndroidAlarms, AndroidNotifier
from mobile_app.device.ports import Alarm, Alarms, Links, Notifier, Shelf


class Columns(dict[str, str]):
    """android.content.ContentValues."""

    def put(self, name: str, content: str) -> None:
        self[name] = content


class Java:
    """The three classes of org.soom.phone that keep something, and the window."""

    def __init__(self) -> None:
        self.armed: dict[str, tuple[Any, ...]] = {}
        self.rearmed: list[bool] = []
        self.written: list[int] = []
        self.kept: list[str] = []
        self.withdrawn: list[str] = []
        self.channels: dict[str, tuple[str, bool]] = {}
        self.asked: list[str] = []
        self.extras: dict[str, str] = {}
        self.listeners: list[Any] = []
        self.link: str | None = None
        self.intent = SimpleNamespace(
            getStringExtra=lambda name: self.extras.get(name), getDataString=lambda: self.link
        )
        self.android, self.shared = 35, Path()
        self.downloads: list[tuple[dict[str, str], bytes, str]] = []
        self.window = SimpleNamespace(
            getContentResolver=lambda: SimpleNamespace(insert=lambda _, row: row, openOutputStream=self._stream),
            getExternalFilesDir=lambda _: SimpleNamespace(getAbsolutePath=lambda: str(self.shared)),
            getIntent=lambda: self.intent,
            requestPermissions=lambda names, code: self.asked.extend(names),
        )

    def _stream(self, row: dict[str, str]) -> Any:
        written: list[bytes] = []
        return SimpleNamespace(
            write=written.append, close=lambda: self.downloads.append((dict(row), b"".join(written), "closed"))
        )

    def _settle(self, notes: list[str]) -> None:
        self.kept = [one for one in self.kept if one not in notes]

    def autoclass(self, name: str) -> Any:
        return {
            "org.kivy.android.PythonActivity": SimpleNamespace(mActivity=self.window),
            "android.os.Build$VERSION": SimpleNamespace(SDK_INT=self.android),
            "android.content.ContentValues": Columns,
            "android.provider.MediaStore$Downloads": SimpleNamespace(EXTERNAL_CONTENT_URI="downloads"),
            "org.soom.phone.Alarms": SimpleNamespace(
                arm=lambda _, alarm_id, *rest: self.armed.update({alarm_id: rest}) or True,
                cancel=lambda _, alarm_id: self.armed.pop(alarm_id, None),
                waiting=lambda _: list(self.armed),
                rearm=lambda _: self.rearmed.append(True),
                bootedAtMillis=lambda: 1772409600250,
                write=lambda _: self.written.append(len(self.armed)),
            ),
            "org.soom.phone.Ledger": SimpleNamespace(
                notes=lambda _: list(self.kept), settle=lambda _, notes: self._settle(notes)
            ),
            "org.soom.phone.Notices": SimpleNamespace(
                withdraw=lambda _, tag: self.withdrawn.append(tag),
                channel=lambda _, channel, name, loud: self.channels.update({channel: (name, loud)}),
            ),
        }[name]


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch) -> Java:
    java = Java()
    jnius, android = ModuleType("jnius"), ModuleType("android")
    jnius.autoclass = java.autoclass  # type: ignore[attr-defined]
    android.activity = SimpleNamespace(  # type: ignore[attr-defined]
        bind=lambda on_new_intent: java.listeners.append(on_new_intent)
    )
    monkeypatch.setitem(sys.modules, "jnius", jnius)
    monkeypatch.setitem(sys.modules, "android", android)
    return java


DOSE = Alarm(
    "dose-1",
    datetime(2026, 3, 2, 8, 0),  # noqa: DTZ001 (local)
    120,
    "reminders",
    "Morning dose",
    "2 puffs",
    actions=(("taken", "Done"), ("skip", "Skip")),
    reasons=(("ran_out", "Ran out"),),
    why="Why?",
    open_on_lock_screen=True,
)


def test_an_alarm_reaches_java_in_the_local_time_that_java_reads(java: Java) -> None:
    alarms: Alarms = AndroidAlarms()
    assert alarms.arm(DOSE)
    words = ("Morning dose", "2 puffs", ["taken|Done", "skip|Skip"], ["ran_out|Ran out"], "Why?", True)
    assert java.armed == {"dose-1": ("2026-03-02T08:00:00", 120, "reminders", *words)}
    assert alarms.waiting() == {"dose-1"}
    alarms.arm(DOSE, replace(DOSE, id="dose-2"), replace(DOSE, id="dose-3"))
    assert java.written == [1, 3], "a fortnight of alarms is written at once"


def test_an_alarm_with_a_zone_is_refused(java: Java) -> None:
    zoned = Alarm("dose-1", datetime(2026, 3, 2, 8, 0, tzinfo=UTC), 120, "reminders", "a", "b")
    with pytest.raises(ValueError, match="in local time"):
        AndroidAlarms().arm(zoned)
    assert java.armed == {}


def test_the_boot_is_told_in_utc(java: Java) -> None:
    assert AndroidAlarms().booted_at() == datetime(2026, 3, 2, 0, 0, 0, 250000, tzinfo=UTC)


def test_cancelling_takes_the_shown_notification_away_too(java: Java) -> None:
    alarms = AndroidAlarms()
    alarms.arm(DOSE)
    alarms.cancel("dose-1")
    assert alarms.waiting() == set()
    assert java.withdrawn == ["dose-1"]


def test_notes_come_oldest_first_and_only_what_was_settled_is_forgotten(java: Java) -> None:
    java.kept = ["1772409601234|missed|dose|2", "1772409600999|shown|dose-1"]
    alarms = AndroidAlarms()
    notes = alarms.notes()
    assert [(note.event, note.id) for note in notes] == [("shown", "dose-1"), ("missed", "dose|2")]
    assert notes[1].at == datetime(2026, 3, 2, 0, 0, 1, 234000, tzinfo=UTC)
    java.kept.append("1772409700000|shown|dose-3")
    alarms.settle(notes)
    assert java.kept == ["1772409700000|shown|dose-3"]


def test_a_tap_tells_its_message_once_whether_soom_was_closed_or_open(java: Java) -> None:
    java.extras = {"message_id": "m-1", "soom_tag": "alert-1"}
    notifier: Notifier = AndroidNotifier()
    assert notifier.tapped() == "m-1"
    assert notifier.tapped() is None
    java.extras = {"soom_tag": "dose-1"}
    java.listeners[0](java.intent)
    assert notifier.tapped() == "dose-1"
    java.extras = {}
    java.listeners[0](java.intent)
    assert notifier.tapped() is None


def test_only_what_the_clinic_writes_is_quiet_and_the_permission_is_asked_at_run_time(java: Java) -> None:
    notifier = AndroidNotifier()
    notifier.name_channels({"urgent": "급한 알림", "messages": "메시지", "reminders": "복약 알림"})
    assert {channel for channel, (_, loud) in java.channels.items() if not loud} == {"messages"}
    notifier.ask_permission()
    assert java.asked == ["android.permission.POST_NOTIFICATIONS"]


def test_a_link_is_told_once_whether_soom_was_closed_or_open(java: Java) -> None:
    java.link = "soom://enrol?code=K7QM-3XRD&server=https://soom.hospital.example"
    links: Links = AndroidLinks()
    assert links.opened() == java.link
    assert links.opened() is None
    java.link = None
    java.listeners[-1](java.intent)
    assert links.opened() is None
    java.link = "soom://enrol?code=AAAA-CCCC&server=https://soom.hospital.example"
    java.listeners[-1](java.intent)
    assert links.opened() == java.link


@pytest.mark.parametrize(("android", "place"), [(35, "Download/Soom/soom.pdf"), (28, "{shared}/soom.pdf")])
def test_a_file_for_the_person_leaves_the_closed_folder(java: Java, tmp_path: Path, android: int, place: str) -> None:
    java.android, java.shared = android, tmp_path / "shared"
    java.shared.mkdir()
    file = tmp_path / "soom.pdf"
    file.write_bytes(b"%PDF")
    shelf: Shelf = AndroidDownloads()
    assert shelf.put(file, "application/pdf") == place.format(shared=java.shared)
    assert not file.exists(), "no second copy stays behind"
    if android >= 29:
        described = {"_display_name": "soom.pdf", "mime_type": "application/pdf", "relative_path": "Download/Soom"}
        assert java.downloads == [(described, b"%PDF", "closed")]
    else:
        assert (java.shared / "soom.pdf").read_bytes() == b"%PDF"
