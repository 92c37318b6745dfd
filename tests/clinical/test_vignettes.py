import pytest

from backend.clinical.guideline import edition_ids
from tests.clinical.vignettes import Vignette, judge, vignettes

JUDGED = {"control", "risk_factors", "adjustments", "red_flags"}


@pytest.mark.parametrize("vignette", vignettes(), ids=lambda vignette: vignette.id)
def test_the_rules_say_what_the_sources_say(vignette: Vignette) -> None:
    expected = {key: sorted(value) if isinstance(value, list) else value for key, value in vignette.expect.items()}
    said = judge(vignette)
    assert {key: said.get(key) for key in expected} == expected, f"{vignette.raw['story']} ({vignette.source})"


def test_the_table_has_at_least_120_vignettes_each_with_its_own_name_edition_and_source() -> None:
    assert len(vignettes()) >= 120
    assert len({vignette.id for vignette in vignettes()}) == len(vignettes())
    assert all(vignette.raw["edition"] in edition_ids() and vignette.source for vignette in vignettes())


def test_the_table_judges_control_risk_adjustments_and_danger_signs_in_adults_and_children() -> None:
    for question in JUDGED:
        ages = [vignette.raw["age"] for vignette in vignettes() if question in vignette.expect]
        assert min(ages) < 12 <= max(ages), question
        assert len(ages) >= 20, question


def test_no_vignette_expects_nothing() -> None:
    assert all(vignette.expect for vignette in vignettes())
