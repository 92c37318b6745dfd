"""What can be checked of the Android build without an SDK: spec, staged tree, XML, Java, imports."""

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from PIL import Image

from infra.stage_mobile import PACKAGE, stage

ANDROID = "{http://schemas.android.com/apk/res/android}"
STUBS = Path(__file__).parent / "android_stubs"


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("staged")
    settings = folder / "google-services.json"
    client = {"client_info": {"mobilesdk_app_id": "1:2:android:3"}, "api_key": [{"current_key": "key"}]}
    project = {"project_number": "2", "project_id": "soom-test"}
    settings.write_text(json.dumps({"client": [client], "project_info": project}), encoding="utf-8")
    stage(folder / "phone", settings)
    return folder / "phone"


@pytest.fixture(scope="module")
def spec() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(PACKAGE / "buildozer.spec", encoding="utf-8")
    return parser["app"]


def test_the_staged_app_starts_from_its_own_folder(staged: Path, tmp_path: Path) -> None:
    start = """
from pathlib import Path
import sys
from kivy.base import EventLoop
import mobile_app
from mobile_app.app import Device, SoomApp
from mobile_app.device.desktop import DesktopClock, FileKeyStore, NothingInTheWay, NoTelephone
assert Path(mobile_app.__file__).is_relative_to(Path.cwd()), mobile_app.__file__
folder = Path(sys.argv[1])
keys = FileKeyStore(folder / "keys")
app = SoomApp(folder, Device(DesktopClock(), keys, NoTelephone(), NothingInTheWay(), "android", "staged"))
app._run_prepare()
EventLoop.idle()
print(app.frame.page_name)
app.stop()
"""
    quiet = {"SDL_VIDEODRIVER": "offscreen", "KIVY_NO_ARGS": "1", "KIVY_NO_FILELOG": "1", "KIVY_NO_CONSOLELOG": "1"}
    # -P leaves the working folder out; PYTHONPATH puts the staged tree before the checkout.
    done = subprocess.run(
        [sys.executable, "-c", start, str(tmp_path)],
        cwd=staged,
        env={**os.environ, **quiet, "PYTHONPATH": str(staged)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "welcome"


def test_the_staged_tree_holds_what_the_spec_names_and_nothing_of_the_build(
    staged: Path, spec: configparser.SectionProxy
) -> None:
    for option in ("icon.filename", "presplash.filename", "icon.adaptive_foreground.filename"):
        with Image.open(staged / Path(spec[option]).name) as image:
            assert image.width == image.height >= 432
    main = ast.parse((staged / "main.py").read_text(encoding="utf-8"))
    assert len(main.body) == 2
    assert not list(staged.rglob("node_modules"))
    assert not list(staged.rglob("*.java"))
    kinds = {ending.strip() for ending in spec["source.include_exts"].split(",")}
    needed = {file.suffix[1:] for file in (staged / "mobile_app").rglob("*") if file.is_file() and file.suffix}
    assert needed <= kinds | {"xml"}


def test_firebase_finds_its_settings_as_string_resources(staged: Path) -> None:
    strings = ElementTree.parse(staged / "res" / "values" / "firebase.xml").getroot()
    assert {one.get("name"): one.text for one in strings} == {
        "google_app_id": "1:2:android:3",
        "google_api_key": "key",
        "gcm_defaultSenderId": "2",
        "project_id": "soom-test",
    }


def test_every_class_that_the_manifest_names_is_there_and_no_receiver_is_open_without_need(staged: Path) -> None:
    text = (staged / "manifest_application.xml").read_text(encoding="utf-8")
    application = ElementTree.fromstring(f'<application xmlns:android="{ANDROID[1:-1]}">{text}</application>')
    names = [one.get(f"{ANDROID}name") for one in application]
    for name in names:
        assert (PACKAGE / "android" / "src" / f"{str(name).replace('.', '/')}.java").exists(), name
    exported = [one.get(f"{ANDROID}name") for one in application if one.get(f"{ANDROID}exported") == "true"]
    assert exported == ["org.soom.phone.RearmReceiver"]
    actions = {one.get(f"{ANDROID}name") for one in application.iter("action")}
    assert {
        "android.intent.action.BOOT_COMPLETED",
        "android.intent.action.TIMEZONE_CHANGED",
        "android.intent.action.MY_PACKAGE_REPLACED",
    } <= actions


def test_the_permissions_are_those_that_the_code_uses(spec: configparser.SectionProxy) -> None:
    asked = {one.strip().rsplit(".", 1)[1] for one in spec["android.permissions"].split(",")}
    assert asked == {
        "INTERNET",
        "ACCESS_NETWORK_STATE",
        "POST_NOTIFICATIONS",
        "RECEIVE_BOOT_COMPLETED",
        "SCHEDULE_EXACT_ALARM",
        "VIBRATE",
    }
    assert spec["android.allow_backup"] == "False"


def test_the_java_compiles_against_the_platforms_signatures(tmp_path: Path) -> None:
    compiler = shutil.which("javac")
    if compiler is None:
        pytest.skip("no javac on this machine: the Java stays uncompiled")
    sources = [str(file) for folder in (PACKAGE / "android" / "src", STUBS) for file in folder.rglob("*.java")]
    done = subprocess.run(
        [compiler, "-Xlint:all", "-Werror", "--release", "11", "-d", str(tmp_path), *sources],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_imported_that_the_phone_will_not_have(spec: configparser.SectionProxy) -> None:
    packed = {re.split("[=<>]", one)[0].strip().lower() for one in spec["requirements"].split(",")}
    imported_as = {"pil": "pillow", "jnius": "pyjnius"}
    # `android` is python-for-android's own module.
    known = {*sys.stdlib_module_names, "mobile_app", "android"}
    missing = []
    for file in PACKAGE.rglob("*.py"):
        if "node_modules" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for top in (name.partition(".")[0] for name in names):
                if top not in known and imported_as.get(top.lower(), top.lower()) not in packed:
                    missing.append(f"{file.name}: {top}")
    assert missing == []
