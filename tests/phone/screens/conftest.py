"""The real app, offscreen: real GL, real SQLite, a loopback server, a walked clock."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kivy.base import EventLoop, stopTouchApp
from kivy.core.window import Window

from mobile_app.app import SoomApp
from mobile_app.data.credentials import Invitation
from mobile_app.device.desktop import FileKeyStore
from mobile_app.device.machine import Device
from mobile_app.device.ports import ReliabilityCheck
from tests.fakes.soom_server import SoomServerFake
from tests.phone.conftest import WalkedClock, papers
from tests.phone.screens.hand import Hand


class DialledNumbers:
    """A telephone that remembers what was dialled."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    def dial(self, number: str) -> bool:
        self.dialled.append(number)
        return True


Start = Callable[..., Hand]


@pytest.fixture
def clock() -> WalkedClock:
    return WalkedClock()


@pytest.fixture
def telephone() -> DialledNumbers:
    return DialledNumbers()


class Permissions:
    """A phone whose permissions a test gives and takes."""

    def __init__(self) -> None:
        self.given = {"notifications": True, "exact_alarms": True, "battery": True}
        self.opened: list[str] = []

    def checks(self) -> list[ReliabilityCheck]:
        return [ReliabilityCheck(code, is_fine) for code, is_fine in self.given.items()]

    def open_settings(self, code: str) -> None:
        self.opened.append(code)


@pytest.fixture
def reliability() -> Permissions:
    return Permissions()


class AskedOwner:
    """A phone with a finger sensor, and whether the finger fits."""

    def __init__(self) -> None:
        self.has_sensor = False
        self.fits = True
        self.asked: list[str] = []

    def can_be_asked(self) -> bool:
        return self.has_sensor

    def ask(self, title: str, other_way: str, answer: Callable[[bool], None]) -> None:
        self.asked.append(title)
        # Android answers on a thread of its own.
        thread = threading.Thread(target=answer, args=(self.fits,))
        thread.start()
        thread.join()


@pytest.fixture
def owner() -> AskedOwner:
    return AskedOwner()


class CameraLinks:
    """Links that the phone's camera opened Soom with."""

    def __init__(self) -> None:
        self.link: str | None = None

    def opened(self) -> str | None:
        link, self.link = self.link, None
        return link


@pytest.fixture
def links() -> CameraLinks:
    return CameraLinks()


@pytest.fixture
def start(
    tmp_path: Path,
    clock: WalkedClock,
    telephone: DialledNumbers,
    reliability: Permissions,
    owner: AskedOwner,
    links: CameraLinks,
) -> Iterator[Start]:
    """Starts the app; a second start closes the first, as after a kill, and finds its files."""
    running: list[SoomApp] = []

    def stop() -> None:
        for app in running:
            app.stop()
            stopTouchApp()
            Window.remove_widget(app.place)
        running.clear()
        EventLoop.idle()

    def begin(
        size: tuple[int, int] = (390, 844),
        folder: str = "phone",
        invitation: Invitation | None = None,
        **settings: object,
    ) -> Hand:
        stop()
        Window.size = size
        device = Device(
            clock,
            FileKeyStore(tmp_path / folder / "keys"),
            telephone,
            reliability,
            "desktop",
            "test phone",
            owner=owner,
            links=links,
            maker="samsung",
        )
        app = SoomApp(tmp_path / folder, device, invitation)
        for name, content in settings.items():
            app.keep_phone_setting(name, content)
        app._run_prepare()
        running.append(app)
        hand = Hand(app)
        hand.frames(5)
        return hand

    yield begin
    stop()


@pytest.fixture
def clinic(server: tuple[SoomServerFake, str], clock: WalkedClock) -> tuple[SoomServerFake, str]:
    """A server whose clinic has signed a plan and whose clock runs with the phone's."""
    fake, address = server
    fake.now = clock.now
    fake.publish(**papers())
    return fake, address


@pytest.fixture
def enrolled(start: Start, clinic: tuple[SoomServerFake, str]) -> Hand:
    """An enrolled phone showing Today with the plan arrived."""
    _, address = clinic
    hand = start(invitation=Invitation(address, "SOOM-2468"))
    hand.wait_for(lambda: hand.app.diary.clinic.plan() is not None, "the plan arrives")
    hand.wait_for(lambda: hand.sees("All saved and sent"), "the phone says that all is sent")
    return hand
