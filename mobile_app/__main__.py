"""Soom on the desktop: ``python -m mobile_app [--server URL --code CODE]``."""

import argparse
import os
import platform
from pathlib import Path

from mobile_app.data.credentials import AddressRefused, Invitation, server_address
from mobile_app.device.desktop import DesktopClock, FileKeyStore, NoTelephone, NothingInTheWay
from mobile_app.locales import Wording

# Kivy would read our arguments, and write its log beside the user's other files.
os.environ.setdefault("KIVY_NO_ARGS", "1")
os.environ.setdefault("KIVY_NO_FILELOG", "1")


def main() -> None:
    """Reads the arguments and runs the app until its window is closed."""
    arguments = argparse.ArgumentParser(prog="python -m mobile_app", description="Soom's phone app, on the desktop.")
    arguments.add_argument("--server", metavar="URL", help="address of the clinic's server")
    arguments.add_argument("--code", help="one-time enrolment code")
    given = arguments.parse_args()
    if bool(given.server) != bool(given.code):
        arguments.error("--server and --code belong together")

    invitation = None
    if given.server:
        try:
            invitation = Invitation(server_address(given.server), given.code)
        except AddressRefused as refused:
            arguments.error(Wording("en").say(f"enrol.{refused}"))

    from kivy.config import Config

    Config.set("graphics", "width", "390")
    Config.set("graphics", "height", "844")
    Config.set("input", "mouse", "mouse,disable_multitouch")
    Config.set("kivy", "log_level", "warning")

    # Only now: importing Kivy's parts opens the window with the configuration above.
    from mobile_app.app import SoomApp
    from mobile_app.device.machine import Device

    folder = Path(os.environ.get("SOOM_PHONE_DIR", "") or Path.home() / ".soom-phone")
    name = platform.node() or "desktop"
    device = Device(DesktopClock(), FileKeyStore(folder / "keys"), NoTelephone(), NothingInTheWay(), "desktop", name)
    SoomApp(folder, device, invitation).run()


if __name__ == "__main__":
    main()
