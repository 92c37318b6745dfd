"""Measures every label of every page in every language, at 320 dp, at normal and at doubled text; prints one JSON line.

In a process of its own: Kivy takes its environment and window when first imported.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mobile_app.app import SoomApp
from mobile_app.device.desktop import DesktopClock, FileKeyStore, NoTelephone, NothingInTheWay
from mobile_app.device.machine import Device
from mobile_app.locales import LANGUAGES
from tests.phone.screens.hand import Hand
from tests.phone.screens.test_every_page import NARROW, cut_off, fill, labels, pages, show

TEXT_SCALES = (1.0, 2.0)


def measured(folder: Path) -> dict[str, int]:
    """Counts of pages shown, labels measured, and labels cut off."""
    from kivy.core.window import Window

    Window.size = NARROW
    keys = FileKeyStore(folder / "keys")
    device = Device(DesktopClock(), keys, NoTelephone(), NothingInTheWay(), "desktop", "labels")
    app = SoomApp(folder / "phone", device)
    app.keep_phone_setting("welcomed", True)
    app.keep_phone_setting("reduced_motion", True)
    app._run_prepare()
    hand = Hand(app)
    fill(app.diary)
    counts = {"pages": 0, "labels": 0, "cut_off": 0}
    for language in LANGUAGES:
        for scale in TEXT_SCALES:
            app.keep_phone_setting("text_scale", scale)
            app._wear_look()
            app.choose_language(language)
            for name, arguments in pages(app.diary).items():
                show(hand, name, arguments)
                hand.frames(4)
                counts["pages"] += 1
                counts["labels"] += len(list(labels(hand)))
                counts["cut_off"] += len(list(cut_off(hand)))
    app.stop()
    return counts


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        sys.stdout.write(json.dumps(measured(Path(place))) + "\n")
