"""Prepares what python-for-android packs:

    python -m infra.stage_mobile TARGET (--google-services FILE | --without-push)

The package lies beside a two-line main.py, so that there is one import path on desk, CI and phone. Icons and splash
are drawn; Firebase's settings become string resources, which replaces the google-services plugin.
"""

import argparse
import configparser
import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from infra.draw_icons import draw_icons
from mobile_app.assets import WEIGHTS

PACKAGE = Path(__file__).resolve().parent.parent / "mobile_app"
SPEC = PACKAGE / "buildozer.spec"
_LEFT_OUT = shutil.ignore_patterns(
    "node_modules", "__pycache__", "android", "buildozer.spec", "package*.json", "assets.py", "__main__.py"
)
_MAIN = "from mobile_app.android_main import main\n\nmain()\n"


class StagingRefused(Exception):
    """Nothing was staged; the text says what to do."""


def stage(target: Path, google_services: Path | None) -> None:
    """Fills a new folder, or one that was staged before. Without Google's file the app has no push. Raises
    StagingRefused before it changes anything."""
    missing = [weight for weight in WEIGHTS if not (PACKAGE / "fonts" / f"Pretendard-{weight}.otf").exists()]
    if missing:
        raise StagingRefused(f"the typeface is missing ({', '.join(missing)}); run `make assets` first")
    strings = firebase_strings(google_services) if google_services is not None else {}
    _empty(target)
    shutil.copytree(PACKAGE, target / "mobile_app", ignore=_LEFT_OUT)
    (target / "main.py").write_text(_MAIN, encoding="utf-8")
    draw_icons(target)
    _write_strings(target / "res" / "values" / "firebase.xml", strings)


def firebase_strings(google_services: Path) -> dict[str, str]:
    """The string resources that Firebase's SDK reads, from google-services.json. Raises StagingRefused."""
    application = application_id()
    try:
        settings = json.loads(google_services.read_text(encoding="utf-8"))
        project, clients = settings["project_info"], settings["client"]
        by_package = {one["client_info"]["android_client_info"]["package_name"]: one for one in clients}
        if application not in by_package:
            raise StagingRefused(
                f"{google_services} is for {', '.join(sorted(by_package))}; register {application} in the Firebase "
                "console and download the file again"
            )
        client = by_package[application]
        return {
            "google_app_id": client["client_info"]["mobilesdk_app_id"],
            "google_api_key": client["api_key"][0]["current_key"],
            "gcm_defaultSenderId": project["project_number"],
            "project_id": project["project_id"],
        }
    except OSError as error:
        raise StagingRefused(f"{google_services} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise StagingRefused(
            f"{google_services} is no google-services.json ({type(error).__name__}: {error}); download it anew from "
            "the Firebase console"
        ) from error


def application_id() -> str:
    """The name under which Android and Firebase know the app."""
    spec = configparser.ConfigParser(interpolation=None)
    spec.read(SPEC, encoding="utf-8")
    return f"{spec['app']['package.domain']}.{spec['app']['package.name']}"


def _empty(target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        main = target / "main.py"
        if not main.exists() or main.read_text(encoding="utf-8") != _MAIN:
            raise StagingRefused(f"{target} holds something that was not staged; name an empty or new folder")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)


def _write_strings(file: Path, strings: dict[str, str]) -> None:
    resources = ElementTree.Element("resources")
    for name, text in strings.items():
        ElementTree.SubElement(resources, "string", name=name, translatable="false").text = text
    file.parent.mkdir(parents=True)
    ElementTree.ElementTree(resources).write(file, encoding="utf-8", xml_declaration=True)


def main() -> None:
    """Reads the arguments and stages."""
    parser = argparse.ArgumentParser(prog="python -m infra.stage_mobile", description="What buildozer packs.")
    parser.add_argument("target", type=Path)
    push = parser.add_mutually_exclusive_group(required=True)
    push.add_argument("--google-services", type=Path, metavar="FILE", help="Firebase's google-services.json")
    push.add_argument("--without-push", action="store_true", help="an app that learns of messages only when it is open")
    given = parser.parse_args()
    try:
        stage(given.target, given.google_services)
    except StagingRefused as refused:
        sys.exit(f"Not staged: {refused}.")


if __name__ == "__main__":
    main()
