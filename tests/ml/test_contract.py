import numpy as np
import pytest

from ml.contract import DIARY_RANGES, Diaries, Profiles


def test_rows_are_sorted_and_missing_columns_become_not_recorded() -> None:
    diaries = Diaries.of([1, 0, 0], [5, 9, 8], reliever_puffs=[3, 2, 1])
    assert diaries.patient_index.tolist() == [0, 0, 1]
    assert diaries.day.tolist() == [8, 9, 5]
    assert diaries.reliever_puffs.tolist() == [1, 2, 3]
    assert np.isnan(diaries.morning_litres_per_min).all()


def test_the_same_day_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="without repeats; see row 1"):
        Diaries.of([0, 0], [8, 8])


@pytest.mark.parametrize("name", DIARY_RANGES)
def test_an_impossible_value_is_refused_by_name_and_row(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} holds 1000 in row 1"):
        Diaries.of([0, 0], [1, 2], **{name: [np.nan, 1000]})


def test_a_peak_flow_in_litres_per_second_is_refused() -> None:
    with pytest.raises(ValueError, match=r"morning_litres_per_min holds 7\.5"):
        Diaries.of([0], [1], morning_litres_per_min=[7.5])


def test_a_wrong_dtype_or_length_is_refused() -> None:
    columns = {name: np.full(1, np.nan, np.float32) for name in DIARY_RANGES}
    with pytest.raises(TypeError, match="day must have dtype int32"):
        Diaries(patient_index=np.zeros(1, np.int32), day=np.zeros(1, np.int64), **columns)
    with pytest.raises(ValueError, match="day has 2 rows where 1"):
        Diaries(patient_index=np.zeros(1, np.int32), day=np.zeros(2, np.int32), **columns)
    with pytest.raises(ValueError, match="unknown diary columns: pef"):
        Diaries.of([0], [1], pef=[400])


def test_profiles_fill_what_is_unknown() -> None:
    profiles = Profiles.of(2, age_years=[30, 40])
    assert profiles.hospital.tolist() == [-1, -1]
    assert np.isnan(profiles.female).all()
    with pytest.raises(ValueError, match="treatment_step holds 6"):
        Profiles.of(1, treatment_step=6)
