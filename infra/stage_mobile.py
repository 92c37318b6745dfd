"""Prepares what python-for-android packs: ``python infra/stage_mobile.py TARGET [--google-services FILE]``.

The package lies beside a two-line main.py, so that there is one import path on desk, CI and phone. Icons and splash
are drawn; Firebase's settings become string resources, which replaces the google-services plugin.
"""

import argparse
import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mobile_app"
_LEFT_OUT = shutil.ignore_patterns(
    "node_modules", "__pycache__", "android", "buildozer.spec", "package*.json", "assets.py", "__main__.py"
)
_MAIN = "from mobile_app.android_main import main\n\nmain()\n"
# Soom's mark, as widgets/breath_mark.py draws it: three rings going out.
_RINGS = ((1.0, "#FBE9DC"), (0.72, "#DDECF0"), (0.42, "#1C5D73"))
_PAPER = "#FAF6F0"


def stage(target: Path, google_services: Path | None = None) -> None:
    """Fills an empty or new folder. Raises FileNotFoundError when the typeface was not brought yet."""
    if not (PACKAGE / "fonts" / "Pretendard-Regular.otf").exists():
        raise FileNotFoundError("the typeface is missing; run `make assets` first")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(PACKAGE, target / "mobile_app", ignore=_LEFT_OUT)
    (target / "main.py").write_text(_MAIN, encoding="utf-8")
    shutil.copyfile(PACKAGE / "android" / "manifest_application.xml", target / "manifest_application.xml")
    draw_mark(1024, 0.62, _PAPER).save(target / "icon.png")
    draw_mark(432, 0.5, None).save(target / "icon_foreground.png")
    Image.new("RGB", (432, 432), _PAPER).save(target / "icon_background.png")
    draw_mark(1080, 0.4, _PAPER).save(target / "splash.png")
    write_strings(target / "res" / "values" / "firebase.xml", google_services)


def draw_mark(side: int, share: float, ground: str | None) -> Image.Image:
    """The mark in the middle of a square; drawn four times as large and made smaller, for smooth edges."""
    large = side * 4
    image = Image.new("RGBA", (large, large), ground or (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for ring, colour in _RINGS:
        half = large * share * ring / 2
        draw.ellipse((large / 2 - half, large / 2 - half, large / 2 + half, large / 2 + half), fill=colour)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def write_strings(file: Path, google_services: Path | None) -> None:
    """String resources as Firebase's SDK reads them; without a settings file an empty set, and push stays off."""
    resources = ElementTree.Element("resources")
    if google_services is not None:
        settings = json.loads(google_services.read_text(encoding="utf-8"))
        client = settings["client"][0]
        for name, text in {
            "google_app_id": client["client_info"]["mobilesdk_app_id"],
            "google_api_key": client["api_key"][0]["current_key"],
            "gcm_defaultSenderId": settings["project_info"]["project_number"],
            "project_id": settings["project_info"]["project_id"],
        }.items():
            ElementTree.SubElement(resources, "string", name=name, translatable="false").text = text
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(resources).write(file, encoding="utf-8", xml_declaration=True)


def main() -> None:
    """Reads the arguments and stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--google-services", type=Path)
    given = parser.parse_args()
    try:
        stage(given.target, given.google_services)
    except FileNotFoundError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
