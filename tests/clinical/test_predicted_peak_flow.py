import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.clinical.predicted_peak_flow import (
    CannotPredict,
    Equation,
    MeterScale,
    Sex,
    fallback_prediction,
    predicted_peak_flow,
    reference_entries,
)
from tests.clinical.reference_data import (
    HANKINSON_TABLE,
    NHANES,
    SHARED_DATA,
    WORKED_EXAMPLES,
    band_from_eight,
    decade_of,
    observed_over_predicted,
)

M, F = Sex.MALE, Sex.FEMALE


@pytest.mark.parametrize(("sex", "age", "height", "weight", "equation", "expected"), WORKED_EXAMPLES)
def test_predicted_values_match_the_worked_examples(
    sex: Sex, age: float, height: float, weight: float | None, equation: Equation, expected: float
) -> None:
    assert predicted_peak_flow(equation, sex, age, height, weight).litres_per_min == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("sex", "age", "height", "weight", "expected"),
    [(M, 40, 175, None, 445.0), (F, 40, 162, 58, 356.8), (F, 70, 155, 55, 310.5)],
)
def test_korean_lower_limits_match_the_worked_examples(
    sex: Sex, age: float, height: float, weight: float | None, expected: float
) -> None:
    predicted = predicted_peak_flow(Equation.KOREAN_ADULTS, sex, age, height, weight)
    assert predicted.lower_limit_litres_per_min == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(("sex", "cut"), [(M, 20), (F, 18)])
@pytest.mark.parametrize("height", [150, 165, 180])
def test_the_two_nhanes_equations_join_at_20_for_men_and_18_for_women(sex: Sex, cut: int, height: float) -> None:
    below = predicted_peak_flow(Equation.HANKINSON, sex, cut - 1e-6, height).litres_per_min
    above = predicted_peak_flow(Equation.HANKINSON, sex, cut, height).litres_per_min
    assert above == pytest.approx(below, abs=0.1)


@given(
    sex=st.sampled_from(list(Sex)),
    equation=st.sampled_from(list(Equation)),
    age=st.floats(18, 19),
    height=st.floats(140, 200),
    taller=st.floats(0.5, 20),
)
def test_a_taller_person_is_predicted_a_higher_peak_flow(
    sex: Sex, equation: Equation, age: float, height: float, taller: float
) -> None:
    short = predicted_peak_flow(equation, sex, age, height, 60).litres_per_min
    assert predicted_peak_flow(equation, sex, age, height + taller, 60).litres_per_min > short


def test_an_equation_refuses_ages_it_was_not_made_for_and_a_missing_weight() -> None:
    with pytest.raises(CannotPredict, match="covers ages 8 to 80"):
        predicted_peak_flow(Equation.HANKINSON, M, 7.9, 120)
    with pytest.raises(CannotPredict, match="weight"):
        predicted_peak_flow(Equation.KOREAN_ADULTS, F, 40, 162)
    with pytest.raises(CannotPredict, match="height"):
        predicted_peak_flow(Equation.HANKINSON, M, 40, 1.75)


def test_the_fallback_names_its_equation_and_scale() -> None:
    assert fallback_prediction(M, 40, 175).equation is Equation.KOREAN_ADULTS
    assert fallback_prediction(F, 40, 162).equation is Equation.HANKINSON
    child = fallback_prediction(M, 12, 150)
    assert (child.equation, child.scale) == (Equation.HONG_KONG_CHILDREN, MeterScale.EU)
    assert fallback_prediction(M, 40, 175, country="EE").equation is Equation.HANKINSON
    with pytest.raises(CannotPredict):
        fallback_prediction(M, 4, 100)


def present(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.parent.name}/{path.name} is not in SOOM_SHARED_DATA ({SHARED_DATA})")
    return path


def test_nhanes_coefficients_equal_the_published_table() -> None:
    groups = {"c": "caucasian", "b": "african_american", "ma": "mexican_american"}
    published = {}
    with present(HANKINSON_TABLE).open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if row["var"] == "PEFR":
                # mlt20c: male, less than 20, Caucasian; f18overma: female, 18 and over, Mexican-American.
                sex, stage, letters = re.fullmatch(r"([mf])(lt\d\d|\d\dover)(\w+)", row["dfname"]).groups()  # type: ignore[union-attr]
                sex = "male" if sex == "m" else "female"
                stage = "young" if stage.startswith("lt") else "adult"
                group = groups[letters]
                published[f"hankinson.{stage}_{sex}_{group}"] = [
                    float(row[column]) for column in ("intercept", "b1", "b2", "b3", "llnb3")
                ]
    ours = {key: e.value for key, e in reference_entries().items() if key.startswith("hankinson.") and e.unit == "L/s"}
    assert ours == published


def test_observed_peak_flow_of_nhanes_2007_to_2012_lies_near_the_prediction_in_every_ten_years_from_eight() -> None:
    present(NHANES)
    means = observed_over_predicted(band_from_eight)
    assert len(means) == 14
    assert all(0.95 <= mean <= 1.10 for mean in means.values()), means


def test_by_calendar_decades_only_the_two_youngest_years_of_boys_lie_above() -> None:
    """Boys of 8 and 9 blow 11 % above NHANES III: known, told by the figures, and no reason to choose other bands."""
    present(NHANES)
    means = observed_over_predicted(decade_of)
    assert {band for band, mean in means.items() if not 0.95 <= mean <= 1.10} == {("male", 8)}
    assert means["male", 8] == pytest.approx(1.11, abs=0.01)
