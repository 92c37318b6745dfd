"""The staged tree, the spec, and the Java compiled against hand-written stand-ins for Android's classes."""

import configparser
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.stage_mobile import PACKAGE, SPEC, stage

HERE = Path(__file__).parent


def google_services(package: str = "org.soom.soom") -> str:
    """The parts of Firebase's google-services.json that matter, for another app and for ours."""

    def client(name: str, number: int) -> dict[str, object]:
        info = {"mobilesdk_app_id": f"1:{number}:android:3", "android_client_info": {"package_name": name}}
        return {"client_info": info, "api_key": [{"current_key": f"key-{number}"}]}

    project = {"project_number": "2", "project_id": "soom-test"}
    return json.dumps({"project_info": project, "client": [client("org.other.app", 1), client(package, 2)]})


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What python-for-android would pack, with push."""
    folder = tmp_path_factory.mktemp("staged")
    settings = folder / "google-services.json"
    settings.write_text(google_services(), encoding="utf-8")
    stage(folder / "phone", settings)
    return folder / "phone"


@pytest.fixture(scope="session")
def spec() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(SPEC, encoding="utf-8")
    return parser["app"]


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Soom's Java, the stand-ins and the walk, compiled as strictly as javac can, for the Java that Gradle targets."""
    compiler = shutil.which("javac")
    if compiler is None or shutil.which("java") is None:
        pytest.skip("no javac on this machine (`make system` installs it where it may): the Java stays uncompiled")
    sources = [str(HERE / "Walk.java")]
    sources += [str(file) for root in (PACKAGE / "android" / "src", HERE / "stubs") for file in root.rglob("*.java")]
    folder = tmp_path_factory.mktemp("classes")
    # JDK 21 warns that release 8 is old; that one lint is left out.
    command = [
        compiler,
        "-J-XX:TieredStopAtLevel=1",
        "-Xlint:all,-options",
        "-Werror",
        "--release",
        "8",
        "-encoding",
        "UTF-8",
        "-d",
        str(folder),
    ]
    done = subprocess.run([*command, *sources], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder
