import pytest

from backend.clinical.guideline import GuidelineError, RuleSwitchedOff, edition, edition_ids, read_entries

SOURCES = {"paper": "A paper (2020)"}


def test_every_number_of_every_edition_has_a_unit_and_a_source() -> None:
    for edition_id in edition_ids():
        for entry in edition(edition_id).entries.values():
            assert entry.unit.strip(), entry.key
            assert len(entry.citation) > 8, entry.key
            assert entry.enabled or entry.reason, entry.key


def test_a_number_without_a_source_is_refused() -> None:
    with pytest.raises(GuidelineError, match="missing"):
        read_entries({"sources": SOURCES, "zones": {"x": {"value": 1, "unit": "%"}}}, "draft")
    with pytest.raises(GuidelineError, match="not listed"):
        read_entries({"sources": SOURCES, "zones": {"x": {"value": 1, "unit": "%", "source": "memory"}}}, "draft")


def test_an_entry_is_switched_off_only_with_a_reason_and_then_no_rule_can_read_it() -> None:
    off = {"value": 1, "unit": "%", "source": "paper", "enabled": False}
    with pytest.raises(GuidelineError, match="without a reason"):
        read_entries({"sources": SOURCES, "zones": {"x": off}}, "draft")
    guideline = edition("gina_2025")
    for entry in guideline.switched_off():
        assert not guideline.offers(entry.key)
        with pytest.raises(RuleSwitchedOff):
            guideline.entry(entry.key)


def test_an_unknown_edition_names_the_known_ones() -> None:
    with pytest.raises(GuidelineError, match="gina_2025"):
        edition("gina_1995")


def test_the_british_edition_changes_only_what_it_names() -> None:
    gina, british = edition("gina_2025"), edition("gina_2025_uk_action_points")
    assert british.number("zones.red_below") == 40
    assert british.number("variability.adult_above") == gina.number("variability.adult_above")
