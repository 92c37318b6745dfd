import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.biologics import Biomarkers, biologics, fitting
from backend.clinical.control import ControlClass
from backend.clinical.medicines import BIOLOGICS, AddOn
from backend.clinical.treatment_steps import Direction, PatientState, legal_adjustments
from ml.contract import Biologic
from tests.clinical.vignettes import read_regimen

LAMA = read_regimen("budesonide_formoterol_200_6_dpi mart 2x2 + tiotropium_2_5_smi daily 2x1")
measured = st.builds(
    Biomarkers,
    eosinophils_per_microlitre=st.one_of(st.none(), st.floats(1, 3000)),
    total_ige_kilounits_per_litre=st.one_of(st.none(), st.floats(1, 3000)),
)


def kinds(biomarkers: Biomarkers, age_years: float = 40) -> set[AddOn]:
    return {biologic.kind for biologic, _ in fitting(biomarkers, LAMA, age_years)}


def test_every_kind_is_described_and_known_to_the_adviser() -> None:
    assert set(biologics()) == set(BIOLOGICS) - {AddOn.BIOLOGIC}
    assert {kind.value for kind in biologics()} | {"none"} == set(Biologic.__args__)  # type: ignore[attr-defined]


@given(measured, st.floats(1, 2000))
def test_more_eosinophils_never_take_a_kind_away(biomarkers: Biomarkers, more: float) -> None:
    count = biomarkers.eosinophils_per_microlitre
    if count is not None:
        higher = Biomarkers(count + more, biomarkers.total_ige_kilounits_per_litre)
        assert kinds(biomarkers) <= kinds(higher)


@given(measured, st.floats(4, 90), st.sampled_from(list(ControlClass)), st.integers(0, 3), st.booleans())
def test_a_biologic_is_only_ever_added_and_only_for_cause(
    biomarkers: Biomarkers, age_years: float, control: ControlClass, attacks: int, pregnant: bool
) -> None:
    state = PatientState(age_years, control, severe_attacks_last_year=attacks, pregnant=pregnant, biomarkers=biomarkers)
    for option in legal_adjustments(LAMA, state).adjustments:
        if option.regimen is None or not option.regimen.biologics:
            continue
        assert option.direction is Direction.UP
        assert option.regimen.prescriptions == LAMA.prescriptions
        assert len(option.regimen.biologics) == 1
        assert age_years >= 12
        assert not pregnant
        assert attacks or control is ControlClass.UNCONTROLLED
        assert biomarkers.eosinophils_per_microlitre is not None


@pytest.mark.parametrize("add_on", ["anti_il5", "montelukast", "oral_steroid_maintenance"])
def test_correcting_a_wrong_pair_of_inhalers_stops_no_add_on(add_on: str) -> None:
    wrong = read_regimen(
        f"budesonide_formoterol_200_6_dpi mart 1x2 + fluticasone_salmeterol_250_50_dpi daily 1x2 + {add_on}"
    )
    offered = legal_adjustments(wrong, PatientState(40, ControlClass.UNCONTROLLED)).adjustments
    assert offered
    for option in offered:
        assert option.direction is Direction.CORRECT
        assert option.regimen is not None
        assert option.regimen.add_ons == {AddOn(add_on)}
