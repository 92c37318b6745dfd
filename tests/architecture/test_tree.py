"""Promises about the tree that no import rule can hold."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from sqlmodel import SQLModel

from backend.core.settings import PROJECT_ROOT, Settings
from tests.routes import all_routes

TRACKED = [
    PROJECT_ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if (PROJECT_ROOT / name).is_file()
]
LOCK_FILES = [path for path in TRACKED if path.name in {"requirements.lock", "package-lock.json"}]
PYTHON = [path for path in TRACKED if path.suffix == ".py"]


def test_the_top_level_is_the_fixed_one() -> None:
    folders = {path.relative_to(PROJECT_ROOT).parts[0] for path in TRACKED}
    allowed = {"pyproject.toml", "README.md", "backend", "mobile_app", "ml", "tests", "alembic", "infra"}
    allowed |= {"Makefile", "requirements.lock", ".ci"}
    assert {name for name in folders if not name.startswith(".git")} <= allowed


@pytest.mark.parametrize("path", LOCK_FILES, ids=str)
def test_a_lock_file_holds_names_versions_and_hashes_but_no_address(path: Path) -> None:
    assert "://" not in path.read_text()


def test_every_direct_dependency_is_in_the_lock_with_hashes() -> None:
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    lock = (PROJECT_ROOT / "requirements.lock").read_text()
    for requirement in wanted:
        name = re.split(r"[\[<>=!; ]", requirement)[0].replace(".", "-")  # as the lock spells it
        assert re.search(rf"^{re.escape(name)}==\S+.*\\\n +--hash=sha256:", lock, re.M), f"{name} is not locked"


def test_javascript_versions_are_pinned_exactly() -> None:
    for path in TRACKED:
        if path.name == "package.json":
            package = json.loads(path.read_text())
            for name, version in {**package.get("dependencies", {}), **package.get("devDependencies", {})}.items():
                assert re.fullmatch(r"\d+\.\d+\.\d+", version), f"{name} {version} in {path}"


def test_no_file_is_named_after_nothing() -> None:
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "manager.py", "base.py", "models.py", "common.py"}
    assert not [path for path in PYTHON if path.name in vague]


def test_alembic_is_no_package_that_would_hide_the_library() -> None:
    assert not (PROJECT_ROOT / "alembic" / "__init__.py").exists()


def test_the_phone_never_uses_the_widget_whose_dependency_is_left_out() -> None:
    for path in TRACKED:
        if path.suffix in {".py", ".kv"} and "mobile_app" in path.parts:
            assert "MDLoadingIndicator" not in path.read_text(), path


def test_no_file_outgrows_one_sitting() -> None:
    """Generated migrations aside: they are read once."""
    long = {
        str(path.relative_to(PROJECT_ROOT)): count
        for path in TRACKED
        if path.suffix in {".py", ".kv", ".html", ".js", ".css", ".java"}
        and "versions" not in path.parts
        and (count := len(path.read_text().splitlines())) > 600
    }
    assert not long


def test_every_table_is_known_to_the_migrations() -> None:
    from backend import all_tables

    modules = {module.__name__ for module in all_tables.TABLE_MODULES}
    for path in PYTHON:
        if path.parent.parent.name == "backend" and re.search(r"\(.*table=True\)", path.read_text()):
            assert f"backend.{path.parent.name}.{path.stem}" in modules, path


def test_no_route_speaks_in_tables() -> None:
    """A table in a schema would publish every column that is ever added to it."""
    from backend.app import build_app

    app = build_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none", demo=True))
    for route in all_routes(app):
        for field in [route.response_field, route.body_field]:
            annotation = field.field_info.annotation if field else None
            spoken = {annotation, *get_args(annotation)}
            assert not any(isinstance(part, type) and issubclass(part, SQLModel) for part in spoken), route.path


def test_the_two_commands_of_the_readme_exist() -> None:
    readme = (PROJECT_ROOT / "README.md").read_text()
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    for command in re.findall(r"^make ([a-z]+)", readme, re.M):
        assert re.search(rf"^{command}:", makefile, re.M), command
    assert {"demo", "test"} <= set(re.findall(r"^make ([a-z]+)", readme, re.M))


def test_settings_folders_and_pictures_named_in_the_readme_exist() -> None:
    readme = (PROJECT_ROOT / "README.md").read_text()
    named = set(re.findall(r"\bSOOM_([A-Z_]+)", readme))
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    for path in re.findall(r"\]\(([^):]+)\)|`((?:backend|ml|mobile_app|infra|tests)/[\w./]*)`", readme):
        assert (PROJECT_ROOT / (path[0] or path[1])).exists(), path


def test_the_readme_says_nothing_of_a_command_that_soom_does_not_have() -> None:
    from typer.testing import CliRunner

    from backend.cli import app

    readme = (PROJECT_ROOT / "README.md").read_text()
    for command in set(re.findall(r"^soom ([a-z]+)|`soom ([a-z]+)", readme, re.M)):
        assert CliRunner().invoke(app, [command[0] or command[1], "--help"]).exit_code == 0, command
