import numpy as np
import pytest

from ml.simulator.cohort import PATIENTS_PER_CHUNK, simulate, simulate_in_chunks


def test_same_seed_gives_the_same_diaries() -> None:
    first, second = simulate(3, 50, 60), simulate(3, 50, 60)
    np.testing.assert_array_equal(first.diaries.morning_litres_per_min, second.diaries.morning_litres_per_min)
    np.testing.assert_array_equal(first.truth.severe_onset, second.truth.severe_onset)


def test_another_seed_gives_other_people() -> None:
    assert not np.array_equal(simulate(3, 50, 5).profiles.height_cm, simulate(4, 50, 5).profiles.height_cm)


def test_chunks_join_to_one_cohort_with_running_patient_numbers() -> None:
    patients = PATIENTS_PER_CHUNK + 10
    chunks = list(simulate_in_chunks(1, patients, 3))
    whole = simulate(1, patients, 3)
    assert len(chunks) == 2
    assert len(whole.profiles) == patients
    assert len(whole.diaries) == sum(len(chunk.diaries) for chunk in chunks)
    assert whole.diaries.patient_index.max() == patients - 1


def test_a_cohort_without_patients_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one patient"):
        simulate(1, 0, 10)


def test_peak_flow_falls_and_reliever_use_rises_before_a_severe_attack() -> None:
    cohort = simulate(5, 1200, 200)
    diaries, truth = cohort.diaries, cohort.truth
    dense = {}
    for name in ("morning_litres_per_min", "reliever_puffs"):
        grid = np.full(truth.severe_onset.shape, np.nan)
        grid[diaries.patient_index, diaries.day - truth.first_day] = getattr(diaries, name)
        dense[name] = grid
    patient, day = np.nonzero(truth.severe_onset[:, 20:])
    day = day + 20
    morning = dense["morning_litres_per_min"]
    keeps_diary = (~np.isnan(morning)).sum(axis=1) > 30
    patient, day = patient[keeps_diary[patient]], day[keeps_diary[patient]]
    usual = np.array([np.nanmedian(morning[one]) for one in patient])
    eve = np.nanmean(morning[patient, day - 1] / usual)
    long_before = np.nanmean(morning[patient, day - 14] / usual)
    assert eve < long_before - 0.08
    puffs = dense["reliever_puffs"]
    assert np.nanmean(puffs[patient, day - 1]) > 1.4 * np.nanmean(puffs[patient, day - 14])


def test_the_five_hospitals_differ_in_size_and_in_attack_rate() -> None:
    truth = simulate(2, 4000, 200).truth
    sizes = [int((truth.people.hospital == code).sum()) for code in range(5)]
    rates = [truth.chance_today[truth.people.hospital == code].mean() for code in range(5)]
    assert max(sizes) > 2.5 * min(sizes) > 0
    assert max(rates) > 1.2 * min(rates)


def test_the_true_daily_chance_adds_up_to_the_attacks_that_happen() -> None:
    truth = simulate(11, 4000, 250, severity_shift=0.5).truth
    assert truth.chance_today.sum() == pytest.approx(truth.severe_onset.sum(), rel=0.08)
