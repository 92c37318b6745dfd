"""Bad input: one specific reason for one entry, or one specific error for a whole request, and never a 500."""

import json
import math
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from backend.diary.tables import Note, PeakFlow
from backend.medication import service as medication
from backend.medication.tables import Inhaler, InhalerRole
from backend.patients.tables import Patient
from tests.conftest import NOON, SettableClock
from tests.factories import clinic
from tests.factories.diary import BODIES, Wire, entry, outcomes, pull, send

MORNING = NOON - timedelta(hours=4)
HALF_A_PAIR = "\ud83d"


def body(kind: str, **changed: Any) -> Wire:
    return entry(kind, taken_at=MORNING, **changed)


BAD_ENTRIES: list[tuple[str, Wire, str, str]] = [
    ("a kind that is not known", {**body("note"), "kind": "mood"}, "unknown_kind", "kind"),
    ("a kind that is no text", {**body("note"), "kind": ["note"]}, "unknown_kind", "kind"),
    ("an id that is no UUID", {**body("note"), "id": "42"}, "invalid_field", "id"),
    ("revision 0", {**body("note"), "revision": 0}, "revision_invalid", "revision"),
    ("a revision in quotes", {**body("note"), "revision": "1"}, "revision_invalid", "revision"),
    ("a revision too large to keep", {**body("note"), "revision": 2**31}, "revision_invalid", "revision"),
    ("an unknown field", {**body("note"), "mood": 1}, "invalid_field", "mood"),
    ("an unknown field in the body", body("note", mood=1), "invalid_field", "body.mood"),
    ("a field name no text can hold", {**body("note"), HALF_A_PAIR: 1}, "invalid_field", ""),
    ("an instant without offset", {**body("note"), "taken_at": "2026-11-20T08:00:00"}, "invalid_field", "taken_at"),
    ("an instant as a number", {**body("note"), "taken_at": 1763625600}, "invalid_field", "taken_at"),
    (
        "the future",
        entry("note", taken_at=NOON + timedelta(minutes=6)),
        "taken_in_the_future",
        "taken_at",
    ),
    ("year 9999", {**body("note"), "taken_at": "9999-12-31T23:59:59+00:00"}, "taken_in_the_future", "taken_at"),
    ("year 1", {**body("note"), "taken_at": "0001-01-01T00:00:00+14:00"}, "taken_too_long_ago", "taken_at"),
    ("a zone that is not known", {**body("note"), "time_zone": "Asia/Soul"}, "unknown_time_zone", "time_zone"),
    ("a zone that is a path", {**body("note"), "time_zone": "../etc/passwd"}, "unknown_time_zone", "time_zone"),
    ("another zone's offset", {**body("note"), "utc_offset_minutes": 0}, "offset_mismatch", "utc_offset_minutes"),
    ("another day", {**body("note"), "local_date": "2026-11-17"}, "local_date_mismatch", "local_date"),
    ("a date in another form", {**body("note"), "local_date": "20261120"}, "invalid_field", "local_date"),
    ("a date that does not exist", {**body("note"), "local_date": "2026-02-30"}, "invalid_field", "local_date"),
    ("a deletion with a body", {**body("note"), "deleted": True}, "body_and_deleted", "body"),
    ("no body without deletion", {**body("note"), "body": None}, "body_and_deleted", "body"),
    ("a body that is a list", {**body("note"), "body": []}, "invalid_field", "body"),
    ("peak flow in L/s", body("peak_flow", blows_litres_per_min=[7.5, 7.1]), "looks_like_litres_per_second", "blows"),
    ("a whole number in L/s", body("peak_flow", blows_litres_per_min=[7]), "looks_like_litres_per_second", "blows"),
    ("a blow below the range", body("peak_flow", blows_litres_per_min=[29, 300]), "peak_flow_out_of_range", "blows"),
    ("a blow above the range", body("peak_flow", blows_litres_per_min=[901]), "peak_flow_out_of_range", "blows"),
    ("a negative blow", body("peak_flow", blows_litres_per_min=[-300]), "peak_flow_out_of_range", "blows"),
    ("no blow at all", body("peak_flow", blows_litres_per_min=[0, 0, 0]), "peak_flow_out_of_range", "blows"),
    ("a broken blow", body("peak_flow", blows_litres_per_min=[310.5]), "invalid_field", "blows"),
    ("four blows", body("peak_flow", blows_litres_per_min=[300] * 4), "invalid_field", "blows"),
    ("blows that are true", body("peak_flow", blows_litres_per_min=[True]), "invalid_field", "blows"),
    ("no blows", body("peak_flow", blows_litres_per_min=[]), "invalid_field", "blows"),
    ("no meter", body("peak_flow", meter=""), "invalid_field", "body.meter"),
    ("a scale that is not known", body("peak_flow", scale="mini"), "invalid_field", "body.scale"),
    ("severity 4", body("symptoms", severity=4), "invalid_field", "body.severity"),
    ("an unknown red flag", body("symptoms", red_flags=["tired"]), "invalid_field", "body.red_flags.0"),
    (
        "symptoms without any answer",
        body("symptoms", daytime=None, night_waking=None, severity=None),
        "nothing_recorded",
        "body",
    ),
    ("an attack of nothing", body("attack", systemic_steroids=False), "nothing_recorded", "body"),
    (
        "days of steroids without steroids",
        body("attack", systemic_steroids=None, emergency_visit=True),
        "steroid_days_without_steroids",
        "body",
    ),
    ("an inhaler that is not known", body("inhaler_use", inhaler_id=str(uuid4())), "unknown_inhaler", "inhaler_id"),
    ("a trigger that is not known", body("trigger", trigger="moon"), "invalid_field", "body.trigger"),
    ("a long note on a trigger", body("trigger", note="x" * 201), "invalid_field", "body.note"),
    ("an empty note", body("note", text=""), "invalid_field", "body.text"),
    ("a note with NUL", body("note", text="a\x00b"), "invalid_field", "body.text"),
    ("half of a character", body("note", text=HALF_A_PAIR), "invalid_field", "body.text"),
    ("an unknown answer", body("questionnaire", answers={"mood": 1}), "answer_out_of_range", "body"),
    ("an answer out of range", body("questionnaire", answers={"night_waking": 2}), "answer_out_of_range", "body"),
    ("a fraction of a yes", body("questionnaire", answers={"night_waking": 0.5}), "answer_out_of_range", "body"),
    ("an endless score", body("questionnaire", score=10**400), "invalid_field", "body.score"),
    ("a plan that was never signed", body("plan_receipt", plan_version=1), "unknown_plan_version", "plan_version"),
]


@pytest.mark.parametrize(("wire", "code", "field"), [case[1:] for case in BAD_ENTRIES], ids=[c[0] for c in BAD_ENTRIES])
def test_a_bad_entry_is_refused_with_its_reason_and_costs_no_other(
    phone: clinic.Phone, session: Session, wire: Wire, code: str, field: str
) -> None:
    answer = send(phone, body("note"), wire, body("note"), sent_at=NOON)
    assert outcomes(answer) == ["accepted", code, "accepted"]
    assert field in answer["receipts"][1]["reason"]["field"]
    assert answer["receipts"][1]["reason"]["message"]
    assert len(session.exec(select(Note)).all()) == 2


def test_an_inhaler_of_another_patient_is_unknown(phone: clinic.Phone, session: Session) -> None:
    stranger = clinic.patient(session, clinic.hospital(session), now=NOON)
    theirs = medication.prescribe(
        session, stranger.id, name="Ventolin", role=InhalerRole.RELIEVER, drug="salbutamol", device="pmdi", now=NOON
    )
    session.commit()
    answer = send(phone, body("inhaler_use", inhaler_id=str(theirs.id)), sent_at=NOON)
    assert outcomes(answer) == ["unknown_inhaler"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"puffs": None}, "puffs_or_amount"),
        ({"amount": "as_usual"}, "puffs_or_amount"),
        ({"puffs": 0}, "no_puffs"),
        ({"puffs": 100}, "invalid_field"),
        ({"puffs_at_most": 1}, "puffs_at_most_below_puffs"),
        ({"puffs": None, "amount": "none", "puffs_at_most": 2}, "puffs_at_most_below_puffs"),
        ({"puffs": 0, "source": "day_recall"}, "accepted"),
        ({"puffs": 12, "puffs_at_most": 99, "source": "day_recall"}, "accepted"),
        ({"puffs": None, "amount": "unsure", "purpose": "maintenance"}, "accepted"),
    ],
)
def test_inhaler_use_says_puffs_or_an_amount(phone: clinic.Phone, reliever: Inhaler, changed: Wire, code: str) -> None:
    use = body("inhaler_use", inhaler_id=str(reliever.id), **changed)
    assert outcomes(send(phone, use, sent_at=NOON)) == [code]


def test_nothing_was_taken_before_the_patient_was_born(phone: clinic.Phone, session: Session, patient: Patient) -> None:
    patient.born_on = MORNING.date()
    session.flush()
    before = entry("note", taken_at=MORNING - timedelta(days=2))
    assert outcomes(send(phone, before, body("note"), sent_at=NOON)) == ["taken_before_birth", "accepted"]


@pytest.mark.parametrize(
    ("ahead", "taken", "outcome"),
    [
        (timedelta(0), timedelta(minutes=5), "accepted"),
        (timedelta(hours=3), timedelta(hours=3), "accepted"),
        (timedelta(hours=3), timedelta(hours=4), "taken_in_the_future"),
        (timedelta(hours=-3), timedelta(minutes=6), "taken_in_the_future"),
        (timedelta(days=1), timedelta(days=1), "accepted"),
        (timedelta(days=30), timedelta(days=30), "taken_in_the_future"),
    ],
)
def test_a_phones_wrong_clock_is_allowed_for_up_to_a_day(
    phone: clinic.Phone, ahead: timedelta, taken: timedelta, outcome: str
) -> None:
    assert outcomes(send(phone, entry("note", taken_at=NOON + taken), sent_at=NOON + ahead)) == [outcome]


def test_the_diary_day_may_be_the_one_before_for_those_who_work_at_night(phone: clinic.Phone) -> None:
    night = entry("note", taken_at=MORNING) | {"local_date": "2026-11-19"}
    assert outcomes(send(phone, night, sent_at=NOON)) == ["accepted"]


def test_too_many_entries_are_refused_as_a_whole_and_200_are_not(phone: clinic.Phone, session: Session) -> None:
    entries = [body("note") for _ in range(201)]
    assert send(phone, *entries, sent_at=NOON, status=413)["code"] == "batch_too_large"
    assert session.exec(select(Note)).all() == []
    assert outcomes(send(phone, *entries[:200], sent_at=NOON)) == ["accepted"] * 200


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"sent_at": "2026', b"[" * 100_000])
def test_malformed_json_is_named_so(phone: clinic.Phone, raw: bytes) -> None:
    answer = phone.client.post("/v1/sync", content=raw, headers={**phone.headers, "Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")


@pytest.mark.parametrize(
    "sent", [{}, {"sent_at": "yesterday", "entries": []}, {"sent_at": NOON.isoformat(), "entries": {}}, [], None, 3]
)
def test_a_request_of_another_shape_is_refused_with_the_fields_at_fault(phone: clinic.Phone, sent: Any) -> None:
    answer = phone.client.post("/v1/sync", json=sent, headers=phone.headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_fields")
    assert answer.json()["fields"]


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30, "٣", "999999"])
def test_a_cursor_that_is_not_ours_is_refused(phone: clinic.Phone, cursor: str) -> None:
    answer = phone.client.get("/v1/sync", params={"cursor": cursor}, headers=phone.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


def test_an_expired_token_is_refused_and_takes_nothing(
    phone: clinic.Phone, clock: SettableClock, session: Session
) -> None:
    clock.now = NOON + timedelta(hours=1)
    assert send(phone, body("note"), sent_at=NOON, status=401)["code"] == "access_token_expired"
    assert session.exec(select(Note)).all() == []


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
GOOD = st.sampled_from(sorted(BODIES)).map(lambda kind: entry(kind, taken_at=MORNING))


@st.composite
def _spoiled(draw: st.DrawFn) -> Any:
    """A good entry with one value, outside or inside its body, replaced by anything."""
    good = json.loads(json.dumps(draw(GOOD)))
    target = good["body"] if draw(st.booleans()) else good
    target[draw(st.sampled_from(sorted(target)))] = draw(ANYTHING)
    return good


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_spoiled() | ANYTHING, min_size=1, max_size=5))
def test_no_entry_whatever_brings_the_server_down_or_costs_its_neighbour(
    phone: clinic.Phone, session: Session, spoiled: list[Any]
) -> None:
    good = entry(taken_at=MORNING)
    content = json.dumps({"sent_at": NOON.isoformat(), "entries": [*spoiled, good]}).encode()
    answer = phone.client.post(
        "/v1/sync", content=content, headers={**phone.headers, "Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    receipts = answer.json()["receipts"]
    assert len(receipts) == len(spoiled) + 1
    assert receipts[-1]["outcome"] == "accepted"
    assert all(one["reason"]["code"] for one in receipts if one["outcome"] == "refused")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | ANYTHING.map(lambda given: json.dumps(given).encode()))
def test_no_body_whatever_brings_the_server_down(phone: clinic.Phone, content: bytes) -> None:
    answer = phone.client.post(
        "/v1/sync", content=content, headers={**phone.headers, "Content-Type": "application/json"}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"]


def test_nan_is_no_peak_flow(phone: clinic.Phone, session: Session) -> None:
    content = json.dumps({"sent_at": NOON.isoformat(), "entries": [body("peak_flow", blows_litres_per_min=[math.nan])]})
    answer = phone.client.post(
        "/v1/sync", content=content, headers={**phone.headers, "Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 400)
    assert session.exec(select(PeakFlow)).all() == []


def test_a_refused_entry_can_be_corrected_and_sent_again(client: TestClient, phone: clinic.Phone) -> None:
    wrong = body("peak_flow", blows_litres_per_min=[7])
    send(phone, wrong, sent_at=NOON)
    right = wrong | {"revision": 2, "body": {**wrong["body"], "blows_litres_per_min": [420]}}
    assert outcomes(send(phone, right, sent_at=NOON)) == ["accepted"]
    assert [one["revision"] for one in pull(phone)["entries"]] == [2]


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_a_body_without_any_or_without_one_field_is_refused_or_taken_but_never_an_error(
    phone: clinic.Phone, kind: str
) -> None:
    whole = entry(kind, taken_at=MORNING)
    pieces: list[dict[str, Any]] = [
        {},
        *({k: v for k, v in whole["body"].items() if k != left} for left in whole["body"]),
    ]
    sent = [whole | {"id": str(uuid4()), "body": piece} for piece in pieces]
    receipts = send(phone, *sent, sent_at=NOON)["receipts"]
    assert len(receipts) == len(sent)
    assert receipts[0]["outcome"] == "refused"
    assert receipts[0]["reason"]["field"].startswith("body")
