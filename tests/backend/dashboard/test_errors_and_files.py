from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.dashboard import pages
from backend.dashboard.assets import SERVED, copy_assets
from tests.backend.dashboard.conftest import Desk

HTML = {"Accept": "text/html"}


def test_an_unknown_page_is_a_page_and_an_unknown_endpoint_is_json(client: TestClient) -> None:
    page = client.get("/nowhere", headers=HTML)
    assert (page.status_code, "Nothing here" in page.text) == (404, True)
    assert page.headers["content-type"].startswith("text/html")
    assert client.get("/v1/nowhere", headers=HTML).json()["code"] == "not_found"


def test_an_unreadable_address_says_so(desk: Desk) -> None:
    answer = desk.page("/patients/not-an-id")
    assert (answer.status_code, "Not understood" in answer.text) == (422, True)
    assert desk.page("/patients?page=0").status_code == 422


def test_a_fault_of_ours_is_told_without_its_details_and_under_the_same_policy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(pages, "roster", broken)
    answer = desk.page("/patients")
    assert (answer.status_code, "Something went wrong" in answer.text) == (500, True)
    assert "secret detail" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    part = desk.client.get("/patients", headers={"HX-Request": "true"})
    assert part.text == "The fault is on our side. Nothing was lost; try again in a moment."
    monkeypatch.setattr(pages, "roster", None)


def test_only_clinicians_see_patients(app: FastAPI, desk: Desk) -> None:
    with app.state.new_session() as session:
        session.connection().exec_driver_sql("UPDATE clinician SET role = 'researcher'")
        session.commit()
    answer = desk.page("/patients")
    assert (answer.status_code, "Not allowed" in answer.text) == (403, True)


def test_a_file_with_a_digest_may_be_kept_and_one_without_is_asked_for_again(client: TestClient) -> None:
    kept = client.get("/static/style.css?v=abc")
    assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "immutable" not in client.get("/static/style.css").headers.get("cache-control", "")
    assert client.get("/static/../pages.py").status_code == 404


def test_assets_are_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    modules, vendor = tmp_path / "node_modules", tmp_path / "vendor"
    vendor.mkdir()
    (vendor / "old.js").write_text("old")
    with pytest.raises(FileNotFoundError, match="npm ci"):
        copy_assets(modules, vendor)
    assert (vendor / "old.js").exists()
    for source in SERVED:
        path = modules / source
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_text("new")
        else:
            path.mkdir()
            (path / "part.woff2").write_text("font")
    copy_assets(modules, vendor)
    assert {path.name for path in vendor.iterdir()} == set(SERVED.values())
