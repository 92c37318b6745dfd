"""What can be checked of the Android package without an SDK: spec, staged tree, manifest, pictures, requirements."""

import ast
import configparser
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image, ImageColor

from infra.draw_icons import PAPER, RINGS, SAFE_SHARE
from infra.stage_mobile import PACKAGE, StagingRefused, stage
from mobile_app import theme
from mobile_app.locales import Wording
from mobile_app.state.enrolment import Enrolment
from tests.phone.android.conftest import google_services

ROOT = PACKAGE.parent
PICTURE = ROOT / "tests" / "output" / "phone" / "staged.png"
ANDROID = "{http://schemas.android.com/apk/res/android}"
JAVA = PACKAGE / "android" / "src"
# The shape of what python-for-android writes (its AndroidManifest.tmpl.xml), with one receiver of another library.
MANIFEST = f"""<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="{ANDROID[1:-1]}">
    <application android:label="@string/app_name" android:allowBackup="false">
        <activity android:name="org.kivy.android.PythonActivity" android:exported="true" />
    </application>
</manifest>
"""
# Compiled for the phone by a recipe of python-for-android, in the version that the recipe was written for.
RECIPES = {
    "python3": "the interpreter",
    "hostpython3": "compiles for it",
    "kivy": "Cython and SDL",
    "pyjnius": "Cython and JNI",
    "pillow": "C",
    "cryptography": "Rust",
    "openssl": "C; ssl of the standard library needs it",
    "sqlite3": "C; sqlite3 of the standard library needs it",
    "materialyoucolor": "C++",
}
# Wanted by a package that is packed, and not packed itself.
LEFT_OUT = {
    "materialshapes": "needs pycairo; only MDLoadingIndicator uses it, and Soom never does",
    "kivy-garden": "installs widgets from the command line",
    "docutils": "only Kivy's RstDocument",
    "pygments": "only Kivy's CodeInput",
    "requests": "only Kivy's UrlRequest",
    "cffi": "the recipe of cryptography brings it",
}


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    file = PACKAGE / "android" / "manifest_hook.py"
    found = importlib.util.spec_from_file_location("manifest_hook", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def application(hook: ModuleType) -> ElementTree.Element:
    """The <application> that Gradle would read."""
    found = ElementTree.fromstring(hook.with_soom(MANIFEST)).find("application")
    assert found is not None
    return found


def requirements(spec: configparser.SectionProxy) -> dict[str, str | None]:
    """Name to version, or None for the recipe's."""
    split = [one.partition("==") for one in spec["requirements"].split(",")]
    return {canonicalize_name(name): version or None for name, _, version in split}


# The staged tree


def test_the_staged_app_starts_from_its_own_folder_and_shows_its_first_page(staged: Path, tmp_path: Path) -> None:
    start = """
import sys
from pathlib import Path
from kivy.config import Config
Config.set("graphics", "width", "360")
Config.set("graphics", "height", "800")
from kivy.base import EventLoop
from kivy.core.window import Window
import mobile_app
from mobile_app.app import SoomApp
from mobile_app.device.desktop import DesktopClock, FileKeyStore, NothingInTheWay, NoTelephone
from mobile_app.device.machine import Device
assert Path(mobile_app.__file__).is_relative_to(Path.cwd()), mobile_app.__file__
folder = Path(sys.argv[1])
keys = FileKeyStore(folder / "keys")
app = SoomApp(folder, Device(DesktopClock(), keys, NoTelephone(), NothingInTheWay(), "android", "staged"))
app._run_prepare()
EventLoop.idle()
while app.frame.page.opacity < 1:
    EventLoop.idle()
EventLoop.idle()
Window.screenshot(name=str(folder / "page.png"))
print(app.frame.page_name)
app.stop()
"""
    quiet = {"SDL_VIDEODRIVER": "offscreen", "KIVY_NO_ARGS": "1", "KIVY_NO_FILELOG": "1", "KIVY_NO_CONSOLELOG": "1"}
    # PYTHONPATH puts the staged tree before the checkout.
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
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    next(tmp_path.glob("page*.png")).replace(PICTURE)
    with Image.open(PICTURE) as page:
        # Kivy's screenshot is sheared when a row of it is no multiple of four bytes; 360 pixels are.
        assert page.size == (360, 800)
        colours = {colour: count for count, colour in page.convert("RGB").getcolors(maxcolors=360 * 800) or []}
    primary = tuple(round(part * 255) for part in theme.LIGHT.primary[:3])
    assert colours.get(primary, 0) > 2000, "the mark and the button wear the primary colour"


def test_main_is_two_lines_and_the_tree_holds_nothing_of_the_build(
    staged: Path, spec: configparser.SectionProxy
) -> None:
    main = ast.parse((staged / "main.py").read_text(encoding="utf-8"))
    assert len(main.body) == 2
    assert not [file for file in staged.rglob("*") if file.suffix in {".java", ".spec"} or file.name == "node_modules"]
    kinds = {ending.strip() for ending in spec["source.include_exts"].split(",")}
    needed = {file.suffix[1:] for file in (staged / "mobile_app").rglob("*") if file.is_file() and file.suffix}
    assert needed <= kinds
    for weight in ("Regular", "Medium", "Bold"):
        assert (staged / "mobile_app" / "fonts" / f"Pretendard-{weight}.otf").stat().st_size > 100_000


def test_every_path_in_the_spec_exists_once_the_tree_is_staged(staged: Path, spec: configparser.SectionProxy) -> None:
    named = [value for value in spec.values() if value.startswith("%(source.dir)s/")]
    assert len(named) >= 6
    for value in named:
        assert (staged / value.removeprefix("%(source.dir)s/")).exists(), value
    for option in ("android.add_src", "p4a.hook"):
        assert (PACKAGE / spec[option]).exists(), option


def test_staging_again_leaves_nothing_of_the_first_time(staged: Path, tmp_path: Path) -> None:
    shutil.copytree(staged, tmp_path / "phone")
    (tmp_path / "phone" / "mobile_app" / "gone.py").write_text("")
    stage(tmp_path / "phone", None)
    assert not (tmp_path / "phone" / "mobile_app" / "gone.py").exists()


def test_the_code_that_a_camera_reads_opens_soom(spec: configparser.SectionProxy, staged: Path) -> None:
    """What buildozer pastes into the activity: any other filter, or another host, and the camera finds nothing."""
    filters = (PACKAGE / spec["android.manifest.intent_filters"]).read_text(encoding="utf-8")
    opening = '<activity android:name="org.kivy.android.PythonActivity" android:exported="true" />'
    manifest = MANIFEST.replace(opening, opening.removesuffix(" />") + f">{filters}</activity>")
    [found] = ElementTree.fromstring(manifest).findall("application/activity/intent-filter")
    named = {(one.tag, one.get(f"{ANDROID}name")) for one in found if one.tag != "data"}
    assert named == {
        ("action", "android.intent.action.VIEW"),
        ("category", "android.intent.category.DEFAULT"),
        ("category", "android.intent.category.BROWSABLE"),
    }
    [data] = found.findall("data")
    scheme, host = data.get(f"{ANDROID}scheme"), data.get(f"{ANDROID}host")
    state = Enrolment(Wording("en"), lambda *_: None, lambda *_: None, lambda: None)
    assert state.read_qr(f"{scheme}://{host}?code=K7QM-3XRD&server=https://soom.hospital.example")
    assert (state.code, state.address) == ("K7QM-3XRD", "https://soom.hospital.example")
    # singleTask: the link reaches the app that is open.
    assert spec["android.manifest.launch_mode"] == "singleTask"


def test_without_the_typeface_nothing_is_staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.stage_mobile.PACKAGE", tmp_path)
    with pytest.raises(StagingRefused, match="run `make assets` first"):
        stage(tmp_path / "phone", None)
    assert not (tmp_path / "phone").exists()


def test_a_folder_that_holds_something_else_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('mine')")
    with pytest.raises(StagingRefused, match="name an empty or new folder"):
        stage(tmp_path, None)
    assert (tmp_path / "main.py").read_text() == "print('mine')"


# Firebase


def test_firebase_finds_the_settings_of_our_app_as_string_resources(staged: Path) -> None:
    strings = ElementTree.parse(staged / "res" / "values" / "firebase.xml").getroot()
    assert {one.get("name"): one.text for one in strings} == {
        "google_app_id": "1:2:android:3",
        "google_api_key": "key-2",
        "gcm_defaultSenderId": "2",
        "project_id": "soom-test",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "is no google-services.json"),
        ('{"project_info": {}}', "is no google-services.json"),
        (google_services("org.else.app"), r"register org\.soom\.soom"),
    ],
)
def test_a_settings_file_that_does_not_fit_is_refused_before_anything_is_written(
    content: str | None, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "google-services.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(StagingRefused, match=says):
        stage(tmp_path / "phone", file)
    assert not (tmp_path / "phone").exists()


def test_an_app_without_push_must_be_asked_for(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.stage_mobile", str(tmp_path / "phone")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "--google-services --without-push is required" in done.stderr
    assert not (tmp_path / "phone").exists()


# Manifest


def test_the_manifest_names_classes_that_exist_and_opens_none_to_other_apps(application: ElementTree.Element) -> None:
    ours = [one for one in application if str(one.get(f"{ANDROID}name")).startswith("org.soom.")]
    assert [one.tag for one in ours] == ["receiver", "receiver", "receiver", "service"]
    for one in ours:
        name = str(one.get(f"{ANDROID}name"))
        assert (JAVA / f"{name.replace('.', '/')}.java").exists(), name
        assert one.get(f"{ANDROID}exported") == "false", name


def test_alarms_are_armed_again_after_everything_that_makes_android_forget_or_move_them(
    application: ElementTree.Element,
) -> None:
    rearm = application.find(f"receiver[@{ANDROID}name='org.soom.phone.RearmReceiver']")
    assert rearm is not None
    assert {one.get(f"{ANDROID}name") for one in rearm.iter("action")} == {
        "android.intent.action.BOOT_COMPLETED",
        "android.intent.action.MY_PACKAGE_REPLACED",
        "android.intent.action.TIMEZONE_CHANGED",
        "android.intent.action.TIME_SET",
        "android.app.action.SCHEDULE_EXACT_ALARM_PERMISSION_STATE_CHANGED",
    }


def test_the_icon_of_our_notifications_is_packed(staged: Path) -> None:
    assert list(staged.glob("res/drawable*/ic_notice.png"))


def test_the_hook_completes_the_manifest_once_and_refuses_one_that_it_does_not_know(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = tmp_path / "src" / "main" / "AndroidManifest.xml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(MANIFEST, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    hook.after_apk_build(None)
    once = manifest.read_text(encoding="utf-8")
    hook.after_apk_build(None)
    assert manifest.read_text(encoding="utf-8") == once
    assert once.count("org.soom.phone.PushService") == 1
    with pytest.raises(ValueError, match="need one"):
        hook.with_soom("<manifest/>")


def test_the_permissions_are_those_that_the_code_uses(spec: configparser.SectionProxy) -> None:
    asked = {one.strip().removeprefix("android.permission.") for one in spec["android.permissions"].split(",")}
    used_by = {
        "INTERNET": PACKAGE / "data" / "server.py",
        "ACCESS_NETWORK_STATE": None,  # Firebase's library asks for it too; named here so that nobody is surprised
        "POST_NOTIFICATIONS": PACKAGE / "device" / "android_notices.py",
        "RECEIVE_BOOT_COMPLETED": PACKAGE / "android" / "manifest_application.xml",
        "SCHEDULE_EXACT_ALARM": JAVA / "org" / "soom" / "phone" / "Alarms.java",
        "USE_BIOMETRIC": JAVA / "org" / "soom" / "phone" / "Owner.java",
    }
    assert asked == set(used_by)
    evidence = {
        "INTERNET": "httpx",
        "POST_NOTIFICATIONS": "POST_NOTIFICATIONS",
        "RECEIVE_BOOT_COMPLETED": "BOOT_COMPLETED",
        "SCHEDULE_EXACT_ALARM": "setExactAndAllowWhileIdle",
        "USE_BIOMETRIC": "BiometricPrompt",
    }
    for permission, trace in evidence.items():
        file = used_by[permission]
        assert file is not None
        assert trace in file.read_text(encoding="utf-8"), permission
    assert spec["android.allow_backup"] == "False"


# Pictures


def test_icons_wear_the_apps_own_colours() -> None:
    colours = [theme.LIGHT.warm_soft, theme.LIGHT.primary_soft, theme.LIGHT.primary, theme.LIGHT.paper]
    drawn = [ImageColor.getrgb(colour) for colour in (*[colour for _, colour in RINGS], PAPER)]
    assert drawn == [tuple(round(part * 255) for part in colour[:3]) for colour in colours]


def test_no_launcher_cuts_into_the_mark(staged: Path) -> None:
    with Image.open(staged / "icon_foreground.png") as front, Image.open(staged / "icon_background.png") as back:
        assert front.size == back.size == (432, 432)
        left, top, right, bottom = front.getchannel("A").getbbox() or (0, 0, 0, 0)
    edge = 432 * (1 - SAFE_SHARE) / 2
    assert min(left, top) >= edge - 2
    assert max(right, bottom) <= 432 - edge + 2
    assert right - left > 200


def test_the_icon_in_the_status_bar_is_white_lines_on_nothing(staged: Path) -> None:
    with Image.open(next(staged.glob("res/drawable*/ic_notice.png"))) as icon:
        opacity, pixels = icon.getchannel("A"), icon.tobytes()
        drawn = {pixels[at : at + 3] for at in range(0, len(pixels), 4) if pixels[at + 3]}
        assert drawn == {b"\xff\xff\xff"}
        assert opacity.getextrema() == (0, 255)
        assert 0.15 < sum(opacity.tobytes()) / 255 / (icon.width * icon.height) < 0.6


# Requirements


def test_everything_that_is_imported_is_packed(spec: configparser.SectionProxy) -> None:
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
                if top not in known and imported_as.get(top.lower(), top.lower()) not in requirements(spec):
                    missing.append(f"{file.name}: {top}")
    assert missing == []


def test_what_has_no_recipe_is_a_pure_wheel_in_the_locks_version(spec: configparser.SectionProxy) -> None:
    lock = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M))
    for name, version in requirements(spec).items():
        if version is not None and name not in {"python3", "hostpython3"}:
            assert version == lock[name], f"{name} is {lock[name]} in the lock"
        if name not in RECIPES:
            assert version is not None, f"{name} comes from PyPI and must be pinned"
            wheel = importlib.metadata.distribution(name).read_text("WHEEL") or ""
            tags = re.findall(r"^Tag: (.+)$", wheel, re.M)
            assert tags, name
            assert all(tag.endswith("-none-any") for tag in tags), f"{name} is compiled ({tags}) and has no recipe"


def test_nothing_that_a_packed_package_needs_is_forgotten(spec: configparser.SectionProxy) -> None:
    """python-for-android installs without dependencies."""
    packed = requirements(spec)
    missing = set()
    for name in packed:
        if name in {"python3", "hostpython3", "openssl", "sqlite3", "pyjnius"}:
            continue
        for line in importlib.metadata.distribution(name).requires or []:
            wanted = Requirement(line)
            on_android = wanted.marker is None or wanted.marker.evaluate(
                {"extra": "", "sys_platform": "android", "python_version": "3.11", "python_full_version": "3.11.13"}
            )
            if on_android and canonicalize_name(wanted.name) not in {*packed, *LEFT_OUT}:
                missing.add(f"{name} needs {wanted.name}")
    assert missing == set()


def test_the_spec_builds_for_a_python_that_the_project_supports(spec: configparser.SectionProxy) -> None:
    packed = requirements(spec)
    assert packed["python3"] == packed["hostpython3"]
    assert str(packed["python3"]).startswith("3.11.")
