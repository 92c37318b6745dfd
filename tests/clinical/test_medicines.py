import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.guideline import RuleSwitchedOff, edition
from backend.clinical.medicines import (
    DoseBand,
    Prescription,
    Regimen,
    UnknownProduct,
    Use,
    catalogue,
    daily_ics,
    ics_band,
    inhalation_limits,
)
from backend.clinical.regimen_checks import Problem, Weight, check_regimen, is_legal

ages = st.floats(4, 90)


@st.composite
def prescriptions(draw: st.DrawFn) -> Prescription:
    use = draw(st.sampled_from(list(Use)))
    times = 0 if use is Use.AS_NEEDED else draw(st.integers(1, 4))
    most = draw(st.one_of(st.none(), st.integers(1, 24)))
    return Prescription(draw(st.sampled_from(sorted(catalogue()))), use, draw(st.integers(1, 8)), times, most)


regimens = st.builds(lambda listed: Regimen(tuple(listed)), st.lists(prescriptions(), min_size=0, max_size=3))


@given(regimens, ages)
def test_no_legal_regimen_is_saba_alone_or_laba_without_steroid(regimen: Regimen, age: float) -> None:
    if is_legal(regimen, age):
        products = [prescription.product for prescription in regimen.prescriptions]
        assert any(item.ics for item in products)
        assert all(item.ics for item in products if item.laba)
        assert regimen.relievers


@given(regimens, ages)
def test_no_legal_regimen_allows_formoterol_above_the_ceiling(regimen: Regimen, age: float) -> None:
    if not is_legal(regimen, age):
        return
    adult = age >= 12
    total = 0.0
    for prescription in regimen.prescriptions:
        inhaler = prescription.product
        if inhaler.laba == "formoterol":
            most = prescription.maintenance_inhalations_a_day
            if prescription.is_reliever:
                most = max(most, inhalation_limits(prescription, age).most_a_day or 0)
            total += most * ((inhaler.laba_metered if adult else inhaler.laba_delivered) or 0)
    assert total <= (72 if adult else 36)


@given(regimens, ages, st.integers(1, 24), st.integers(1, 24))
def test_allowing_more_inhalations_never_clears_a_refusal(
    regimen: Regimen, age: float, first: int, second: int
) -> None:
    low, high = sorted((first, second))

    def refusals(most: int) -> set[Problem]:
        changed = tuple(
            Prescription(p.product_id, p.use, p.inhalations, p.times_a_day, most) if p.is_reliever else p
            for p in regimen.prescriptions
        )
        if any(p.maintenance_inhalations_a_day > low for p in changed):
            return set()
        return {f.problem for f in check_regimen(Regimen(changed), age) if f.weight is Weight.REFUSED}

    assert refusals(low) <= refusals(high)


@given(st.floats(0, 3000), st.floats(0, 3000), ages.filter(lambda age: age >= 6))
def test_a_higher_steroid_dose_never_lies_in_a_lower_band(first: float, second: float, age: float) -> None:
    low, high = sorted((first, second))
    assert ics_band("budesonide_dpi", low, age).rank <= ics_band("budesonide_dpi", high, age).rank


@given(st.floats(1, 3000), st.sampled_from(["budesonide_dpi", "fluticasone_propionate", "beclometasone_extrafine"]))
def test_a_dose_is_never_in_a_lower_band_for_a_child_than_for_an_adult(dose: float, drug: str) -> None:
    assert ics_band(drug, dose, 8).rank >= ics_band(drug, dose, 40).rank


@pytest.mark.parametrize(
    ("drug", "age", "low_from", "low_to", "medium_to"),
    [
        # GINA 2019, Box 3-6, from 12 years
        ("beclometasone_standard", 40, 200, 500, 1000),
        ("beclometasone_extrafine", 40, 100, 200, 400),
        ("budesonide_dpi", 40, 200, 400, 800),
        ("ciclesonide", 40, 80, 160, 320),
        ("fluticasone_furoate", 40, 100, 100, 100),
        ("fluticasone_propionate", 12, 100, 250, 500),
        # Australian Asthma Handbook, 6-11 years
        ("beclometasone_extrafine", 8, 50, 100, 200),
        ("budesonide_dpi", 8, 100, 200, 400),
        ("ciclesonide", 8, 80, 80, 160),
        ("fluticasone_propionate", 11, 50, 100, 200),
    ],
)
def test_the_bands_change_where_the_tables_say(
    drug: str, age: float, low_from: float, low_to: float, medium_to: float
) -> None:
    assert ics_band(drug, low_from - 1, age) is DoseBand.BELOW_LOW
    assert ics_band(drug, low_from, age) is DoseBand.LOW
    assert ics_band(drug, low_to, age) is DoseBand.LOW
    assert ics_band(drug, low_to + 1, age) is (DoseBand.MEDIUM if medium_to > low_to else DoseBand.HIGH)
    assert ics_band(drug, medium_to, age) is (DoseBand.MEDIUM if medium_to > low_to else DoseBand.LOW)
    assert ics_band(drug, medium_to + 1, age) is DoseBand.HIGH


def test_metered_and_delivered_doses_are_both_counted() -> None:
    mart = Regimen((Prescription("budesonide_formoterol_200_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2),))
    ics = daily_ics(mart, 40)
    assert (ics.metered, ics.delivered, ics.band) == (400, 320, DoseBand.LOW)
    plain = Regimen((Prescription("fluticasone_propionate_125_pmdi", Use.MAINTENANCE, 2, 2),))
    assert daily_ics(plain, 40).delivered is None


def test_the_ceiling_of_12_inhalations_is_72_micrograms_metered_and_54_delivered() -> None:
    inhaler = catalogue()["budesonide_formoterol_200_6_dpi"]
    assert inhaler.laba_metered is not None
    assert inhaler.laba_delivered is not None
    assert 12 * inhaler.laba_metered == edition().number("formoterol.adult_metered_a_day")
    assert 12 * inhaler.laba_delivered == edition().number("formoterol.adult_delivered_a_day")
    child = Prescription("budesonide_formoterol_100_6_dpi", Use.MAINTENANCE_AND_RELIEVER, 1, 2)
    assert inhalation_limits(child, 9).most_a_day == 8
    assert inhalation_limits(child, 12).most_a_day == 12


def test_the_limits_of_budesonide_formoterol_in_the_catalogue_are_those_of_the_edition() -> None:
    inhaler = catalogue()["budesonide_formoterol_200_6_dpi"]
    assert inhaler.usual_most_a_day == edition().number("formoterol.usual_most_a_day") == 8
    assert inhaler.most_at_once == edition().number("formoterol.most_at_once") == 6


def test_a_drug_without_a_verified_band_is_refused_and_not_guessed() -> None:
    with pytest.raises(RuleSwitchedOff, match="from memory"):
        ics_band("mometasone", 400, 40)


def test_a_finding_names_the_field_at_fault() -> None:
    regimen = Regimen(
        (
            Prescription("budesonide_200_dpi", Use.MAINTENANCE, 1, 2),
            Prescription("budesonide_formoterol_100_6_dpi", Use.AS_NEEDED, 1),
        )
    )
    paths = {finding.problem: finding.path for finding in check_regimen(regimen, 40)}
    assert paths == {Problem.NOT_APPROVED_AS_ONLY_RELIEVER: "prescriptions[1].use"}


def test_a_prescription_without_a_dose_or_with_a_mixed_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one inhalation"):
        Prescription("budesonide_200_dpi", Use.MAINTENANCE, 0, 2)
    with pytest.raises(ValueError, match="no times a day"):
        Prescription("budesonide_200_dpi", Use.AS_NEEDED, 1, 2)
    with pytest.raises(UnknownProduct, match="aspirin"):
        check_regimen(Regimen((Prescription("aspirin", Use.AS_NEEDED, 1),)), 40)
