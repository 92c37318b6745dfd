"""One phone in a process of its own, offscreen: Soom over a ten-year diary, or the smallest Kivy app beside it.

Prints one JSON object. The parent names the folder of the diary and the task set.
"""

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(
    SDL_VIDEODRIVER="offscreen", KIVY_NO_ARGS="1", KIVY_NO_FILELOG="1", KIVY_NO_CONSOLELOG="1", KIVY_NO_CONFIG="1"
)

SCROLLED_FRAMES = 240
SAVES = 40


def as_on_a_phone() -> None:
    """A window of a phone's size; frames as fast as they are drawn; without packages that a phone does not have."""
    # httpx would load these for its command line; mobile_app/buildozer.spec packs none of them.
    for name in ("click", "pygments", "rich"):
        sys.modules[name] = None  # type: ignore[assignment]
    from kivy.config import Config

    for option, setting in (("width", "390"), ("height", "844"), ("maxfps", "0"), ("vsync", "0")):
        Config.set("graphics", option, setting)


def draw_frames(count: int) -> None:
    """Lets frames pass and draws each of them to the end, as a phone that shows it does.

    Without glFinish Mesa would queue the frames, and the memory and time of one would be counted at another.
    """
    from kivy.base import EventLoop
    from kivy.graphics.opengl import glFinish

    for _ in range(count):
        EventLoop.window.canvas.ask_update()
        EventLoop.idle()
        glFinish()


def milliseconds(work: Callable[[], Any]) -> float:
    """How long the work takes, with the frame that shows it."""
    begin = time.perf_counter()
    work()
    draw_frames(1)
    return (time.perf_counter() - begin) * 1000


def frames_per_second(scrolling: Any) -> float:
    """A fling through a list: every frame drawn at another place."""
    draw_frames(5)
    begin = time.perf_counter()
    for number in range(SCROLLED_FRAMES):
        scrolling.scroll_y = 1 - number / SCROLLED_FRAMES * 0.7
        draw_frames(1)
    return SCROLLED_FRAMES / (time.perf_counter() - begin)


def resident_megabytes() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def soom(folder: Path) -> dict[str, float]:
    """Cold start, saves, trends, scrolling, memory."""
    from mobile_app.app import SoomApp
    from mobile_app.device.desktop import DesktopClock, FileKeyStore, NoTelephone, NothingInTheWay
    from mobile_app.device.machine import Device
    from mobile_app.state.diary_form import PeakFlowForm

    keys = FileKeyStore(folder / "keys")
    device = Device(DesktopClock(), keys, NoTelephone(), NothingInTheWay(), "desktop", "benchmark")
    app = SoomApp(folder, device)
    app._run_prepare()
    draw_frames(1)
    usable_at = time.monotonic()
    saves = []
    for _ in range(SAVES):
        form = PeakFlowForm(app.diary)
        for digit in "430450440":
            form.press(digit)
        begin = time.perf_counter()
        form.submit()
        saves.append((time.perf_counter() - begin) * 1000)
    frame = app.frame
    assert frame is not None
    trends = milliseconds(lambda: frame.go("trends"))
    year = milliseconds(lambda: frame.page.state.show(365))
    diary = milliseconds(lambda: frame.go("diary"))
    from mobile_app.screens.day_list import DayListView

    listed = next(widget for widget in frame.page.walk() if isinstance(widget, DayListView))
    frames = frames_per_second(listed)
    memory = resident_megabytes()
    app.stop()
    return {
        "usable_at": usable_at,
        "save_ms_p95": statistics.quantiles(saves, n=20)[-1],
        "trends_ms": trends,
        "trends_year_ms": year,
        "diary_ms": diary,
        "frames_per_second": frames,
        "resident_mb": memory,
    }


def minimal() -> dict[str, float]:
    """One label; a chart of one line; a recycled list of as many plain labels."""
    from kivy.app import App
    from kivy.graphics import Line
    from kivy.lang import Builder
    from kivy.uix.label import Label
    from kivy.uix.widget import Widget

    class Smallest(App):  # type: ignore[misc]
        def build(self) -> Widget:
            self.place = Builder.load_string("BoxLayout:\n    Label:\n        text: 'Soom'\n")
            return self.place

    app = Smallest()
    app._run_prepare()
    draw_frames(1)
    usable_at = time.monotonic()

    def chart() -> None:
        app.place.clear_widgets()
        widget = Widget()
        with widget.canvas:
            Line(points=[value for at in range(60) for value in (at * 6, 300 + at % 7 * 20)])
        app.place.add_widget(widget)
        app.place.add_widget(Label(text="Peak flow"))

    trends = milliseconds(chart)
    listed = Builder.load_string(
        "RecycleView:\n    viewclass: 'Label'\n    RecycleBoxLayout:\n        orientation: 'vertical'\n"
        "        default_size_hint: 1, None\n        default_size: None, 70\n        size_hint_y: None\n"
        "        height: self.minimum_height\n"
    )
    listed.data = [{"text": f"{number} L/min"} for number in range(400)]
    app.place.clear_widgets()
    diary = milliseconds(lambda: app.place.add_widget(listed))
    frames = frames_per_second(listed)
    return {
        "usable_at": usable_at,
        "trends_ms": trends,
        "diary_ms": diary,
        "frames_per_second": frames,
        "resident_mb": resident_megabytes(),
    }


if __name__ == "__main__":
    as_on_a_phone()
    result = soom(Path(sys.argv[2])) if sys.argv[1] == "soom" else minimal()
    sys.stdout.write(json.dumps(result) + "\n")
