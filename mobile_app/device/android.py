"""Soom on Android, through pyjnius: the clock's zone, the key store, the dialler, what may hold back a warning."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mobile_app.device.ports import ReliabilityCheck

_KEY_NAME = "soom_secrets"
_AES_MODE = "AES/GCM/NoPadding"
_TAG_BITS = 128
_ANDROID_12 = 31
# What Android's AES/GCM puts in front.
_NONCE_BYTES = 12


def java_class(name: str) -> Any:
    """A Java class through pyjnius, which exists on Android only and is therefore imported late."""
    from jnius import autoclass

    return autoclass(name)


def activity() -> Any:
    """The window of the app, which is also the context that Android asks for everywhere."""
    return java_class("org.kivy.android.PythonActivity").mActivity


class AndroidClock:
    """The system clock; the zone as the settings name it now, also after a flight."""

    def now(self) -> datetime:
        """The present instant in UTC."""
        return datetime.now(UTC)

    def time_zone(self) -> str:
        """The IANA zone of the phone."""
        return str(java_class("java.util.TimeZone").getDefault().getID())


class AndroidKeyStore:
    """Secrets as files that are sealed with a key that never leaves Android's key store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> bytes | None:
        """The secret of that name, or None."""
        try:
            sealed = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        cipher = java_class("javax.crypto.Cipher").getInstance(_AES_MODE)
        specification = java_class("javax.crypto.spec.GCMParameterSpec")(_TAG_BITS, sealed[:_NONCE_BYTES])
        cipher.init(cipher.DECRYPT_MODE, self._key(), specification)
        return bytes(cipher.doFinal(sealed[_NONCE_BYTES:]))

    def write(self, name: str, secret: bytes) -> None:
        """Seals and replaces the file in one step."""
        cipher = java_class("javax.crypto.Cipher").getInstance(_AES_MODE)
        cipher.init(cipher.ENCRYPT_MODE, self._key())
        fresh = self._folder / f"{name}.new"
        fresh.write_bytes(bytes(cipher.getIV()) + bytes(cipher.doFinal(secret)))
        fresh.replace(self._folder / name)

    def forget(self, name: str) -> None:
        """Removes the file if it is there."""
        (self._folder / name).unlink(missing_ok=True)

    def _key(self) -> Any:
        store = java_class("java.security.KeyStore").getInstance("AndroidKeyStore")
        store.load(None)
        if not store.containsAlias(_KEY_NAME):
            properties = java_class("android.security.keystore.KeyProperties")
            builder = java_class("android.security.keystore.KeyGenParameterSpec$Builder")(
                _KEY_NAME, properties.PURPOSE_ENCRYPT | properties.PURPOSE_DECRYPT
            )
            builder.setBlockModes([properties.BLOCK_MODE_GCM])
            builder.setEncryptionPaddings([properties.ENCRYPTION_PADDING_NONE])
            generator = java_class("javax.crypto.KeyGenerator").getInstance("AES", "AndroidKeyStore")
            generator.init(builder.build())
            generator.generateKey()
        return store.getKey(_KEY_NAME, None)


class AndroidTelephone:
    """Opens the dialler with the number typed in; the person presses call. That needs no permission."""

    def dial(self, number: str) -> bool:
        """Shows the number ready to call."""
        intent = java_class("android.content.Intent")
        uri = java_class("android.net.Uri").fromParts("tel", number, None)
        activity().startActivity(intent(intent.ACTION_DIAL, uri))
        return True


class AndroidReliability:
    """Notification permission, exact alarms (off by default since Android 14), battery saving."""

    def checks(self) -> list[ReliabilityCheck]:
        """All three, as they stand now."""
        window = activity()
        context = java_class("android.content.Context")
        notices = window.getSystemService(context.NOTIFICATION_SERVICE)
        alarms = window.getSystemService(context.ALARM_SERVICE)
        power = window.getSystemService(context.POWER_SERVICE)
        asks_for_alarms = java_class("android.os.Build$VERSION").SDK_INT >= _ANDROID_12
        return [
            ReliabilityCheck("notifications", bool(notices.areNotificationsEnabled())),
            ReliabilityCheck("exact_alarms", not asks_for_alarms or bool(alarms.canScheduleExactAlarms())),
            ReliabilityCheck("battery", bool(power.isIgnoringBatteryOptimizations(window.getPackageName()))),
        ]

    def open_settings(self, code: str) -> None:
        """Opens the page for one of the three."""
        window = activity()
        settings = java_class("android.provider.Settings")
        intent = java_class("android.content.Intent")
        if code == "notifications":
            page = intent(settings.ACTION_APP_NOTIFICATION_SETTINGS)
            page.putExtra(settings.EXTRA_APP_PACKAGE, window.getPackageName())
        elif code == "exact_alarms":
            uri = java_class("android.net.Uri").fromParts("package", window.getPackageName(), None)
            page = intent(settings.ACTION_REQUEST_SCHEDULE_EXACT_ALARM, uri)
        else:
            page = intent(settings.ACTION_IGNORE_BATTERY_OPTIMIZATION_SETTINGS)
        window.startActivity(page)
