"""python-for-android calls this between writing the manifest and assembling the package.

Receivers and services belong between the tags of <application>. The setting that sounds like it,
extra_manifest_application_arguments, writes attributes into the opening tag (python-for-android pull request 3377), and
no released buildozer knows the newer one.
"""

from pathlib import Path
from typing import Any

_FRAGMENT = Path(__file__).parent / "manifest_application.xml"
_END = "</application>"


def after_apk_build(_toolchain: Any) -> None:
    """Completes the manifest; python-for-android runs this in the folder that Gradle builds. Twice changes nothing."""
    manifest = Path("src/main/AndroidManifest.xml")
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(with_soom(text), encoding="utf-8")


def with_soom(manifest: str) -> str:
    """The manifest with Soom's receivers and service. Raises ValueError without exactly one end of <application>."""
    fragment = _FRAGMENT.read_text(encoding="utf-8")
    if fragment in manifest:
        return manifest
    if manifest.count(_END) != 1:
        raise ValueError(f"the manifest has {manifest.count(_END)} {_END}; Soom's receivers and service need one")
    return manifest.replace(_END, fragment + _END)
