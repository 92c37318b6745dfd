"""Files for the person on Android: the app's own folder is closed to everybody else, the Downloads are not."""

from pathlib import Path

from mobile_app.device.android import activity, java_class

_ANDROID_10 = 29
_FOLDER = "Download/Soom"


class AndroidDownloads:
    """The phone's Downloads; no permission is needed."""

    def put(self, file: Path, kind: str) -> str:
        """Moves the file there. Before Android 10 it goes to the app's folder on the shared storage instead."""
        if java_class("android.os.Build$VERSION").SDK_INT < _ANDROID_10:
            place = Path(str(activity().getExternalFilesDir(None).getAbsolutePath())) / file.name
            place.write_bytes(file.read_bytes())
            file.unlink()
            return str(place)
        described = java_class("android.content.ContentValues")()
        for column, content in (("_display_name", file.name), ("mime_type", kind), ("relative_path", _FOLDER)):
            described.put(column, content)
        resolver = activity().getContentResolver()
        downloads = java_class("android.provider.MediaStore$Downloads").EXTERNAL_CONTENT_URI
        stream = resolver.openOutputStream(resolver.insert(downloads, described))
        stream.write(file.read_bytes())
        stream.close()
        # The copy that nobody else could reach would only be one more unsealed page.
        file.unlink()
        return f"{_FOLDER}/{file.name}"
