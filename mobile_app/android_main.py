"""How Soom starts on Android; the staging script puts two lines beside the package that call this."""

from pathlib import Path


def main() -> None:
    """Constructs the app with Android's adapters and runs it."""
    from android.storage import app_storage_path  # type: ignore[import-not-found]

    from mobile_app.app import SoomApp
    from mobile_app.device.android import (
        AndroidClock,
        AndroidKeyStore,
        AndroidReliability,
        AndroidTelephone,
        java_class,
    )
    from mobile_app.device.android_downloads import AndroidDownloads
    from mobile_app.device.android_links import AndroidLinks
    from mobile_app.device.android_notices import AndroidAlarms, AndroidNotifier, AndroidOwner
    from mobile_app.device.machine import Device

    folder = Path(app_storage_path()) / "soom"
    keys = AndroidKeyStore(folder / "keys")
    device = Device(
        AndroidClock(),
        keys,
        AndroidTelephone(),
        AndroidReliability(),
        "android",
        "Android",
        owner=AndroidOwner(),
        links=AndroidLinks(),
        shelf=AndroidDownloads(),
        maker=str(java_class("android.os.Build").MANUFACTURER).lower(),
        alarms=AndroidAlarms(),
        notifier=AndroidNotifier(),
    )
    SoomApp(folder, device).run()
