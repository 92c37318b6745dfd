"""A protocol is read whole or refused with every field at fault."""

import pytest

from ml.rwe.protocol import Protocol, ProtocolRefused, parse_protocol
from tests.ml.rwe.example import EXAMPLE, changed


def problems(*changes: tuple[str, str]) -> dict[str, str]:
    with pytest.raises(ProtocolRefused) as refused:
        parse_protocol(changed(*changes))
    return {problem.field: problem.message for problem in refused.value.problems}


def test_the_example_is_a_protocol_and_known_by_the_hash_of_its_bytes(protocol: Protocol) -> None:
    assert protocol.id == "tiotropium-or-montelukast"
    assert parse_protocol(EXAMPLE.read_bytes()).sha256 == protocol.sha256
    assert parse_protocol(changed(("caliper_sd = 0.2", "caliper_sd = 0.1"))).sha256 != protocol.sha256


def test_a_washout_longer_than_the_observation_is_refused_at_its_field() -> None:
    found = problems(("washout_days = 365", "washout_days = 366"))
    assert "nobody could be shown to be a new user" in found["exposure.washout_days"]


def test_an_empty_follow_up_window_is_refused() -> None:
    assert (
        "the window is empty"
        in problems(("first_day = 1\nlast_day = 365", "first_day = 365\nlast_day = 365"))["follow_up.last_day"]
    )


def test_a_window_of_centuries_is_told_by_its_own_number_alone() -> None:
    with pytest.raises(ProtocolRefused) as refused:
        parse_protocol(changed(("last_day = 365", "last_day = 99999")))
    assert [(one.field, one.message) for one in refused.value.problems] == [
        ("follow_up.last_day", "is 99999; it must be a whole number from 1 to 3660")
    ]


def test_a_window_that_looks_behind_the_observation_is_refused() -> None:
    found = problems(("[covariates]\nwindow_days = 365", "[covariates]\nwindow_days = 700"))
    assert "covariates.window_days" in found


def test_an_unknown_concept_set_is_named_with_those_that_there_are() -> None:
    found = problems(('required = ["asthma"]', 'required = ["astma"]'))
    assert "astma" in found["eligibility.required[0]"]
    assert "tiotropium" in found["eligibility.required[0]"]


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        ("least_age_years = 18", "least_age_years = 81"),
        ('adjustment = "weighting"', 'adjustment = "magic"'),
        ("smallest_cell = 5", "smallest_cell = 1"),
    )
    assert set(found) == {"eligibility.most_age_years", "analyses[2].adjustment", "sharing.smallest_cell"}


def test_a_misspelt_field_is_no_silent_default() -> None:
    assert "misspelt" in problems(("caliper_sd", "caliper"))["propensity.caliper"]


def test_a_missing_field_is_said_to_be_missing() -> None:
    assert problems(("grace_days = 30", ""))["follow_up.grace_days"] == "is missing"


def test_concept_zero_would_take_in_everything_unmapped_and_is_refused() -> None:
    assert "unmapped" in problems(("concept_ids = [317009]", "concept_ids = [0]"))["concept_sets.asthma.concept_ids"]


def test_arms_that_share_a_medicine_are_refused() -> None:
    assert "1154161" in problems(("concept_ids = [1106776]", "concept_ids = [1106776, 1154161]"))["exposure"]


def test_a_negative_control_that_is_part_of_the_outcome_is_refused() -> None:
    found = problems(("concept_ids = [\n    2000100000,", "concept_ids = [\n    45771045,"))
    assert "45771045" in found["negative_controls.concept_ids"]


@pytest.mark.parametrize("content", [b"id = ", b"\xff\xfe", b"id = 3\ntitle = []\n"])
def test_what_is_no_protocol_at_all_is_refused_without_a_crash(content: bytes) -> None:
    with pytest.raises(ProtocolRefused):
        parse_protocol(content)
