import numpy as np
import pytest

from ml.evaluation.attainable import attainable_chance
from ml.evaluation.metrics import auroc
from ml.features.daily import patient_days
from ml.personal import PersonalState, advance_personal
from ml.simulator.cohort import simulate
from ml.training.calibration import fit_calibration, hospital_factors
from ml.training.fit import Cohort, TrainingPlan, training_rows
from ml.training.outcome import followed_days, judged_days


def test_rows_thinned_by_outcome_stand_for_all_judged_days(cohort: Cohort) -> None:
    rows = training_rows(cohort, TrainingPlan(every_days=12, attack_every_days=2))
    days = patient_days(cohort.diaries, cohort.profiles)
    followed = followed_days(cohort.diaries, len(cohort.profiles), cohort.last_day)
    for horizon in (3, 7, 14):
        judged = judged_days(days, followed, horizon)
        assert rows.days[rows.judged[horizon]].sum() == pytest.approx(judged.sum(), rel=0.05)
    positive, calm = rows.label[14], ~rows.label[14] & rows.judged[14]
    assert set(rows.days[positive]) == {2.0}
    assert set(rows.days[calm]) == {12.0}
    plain = training_rows(cohort, TrainingPlan(every_days=12))
    np.testing.assert_array_equal(rows.features[rows.evenly], plain.features)
    with pytest.raises(ValueError, match="must be a multiple of attack_every_days"):
        training_rows(cohort, TrainingPlan(every_days=4, attack_every_days=3))


def test_a_row_that_stands_for_three_days_calibrates_like_three_rows() -> None:
    rng = np.random.default_rng(2)
    logit = rng.normal(-2, 1, 400)
    label = rng.random(400) < 1 / (1 + np.exp(-logit))
    hospital = rng.integers(0, 2, 400).astype(np.int32)
    days = np.where(np.arange(400) < 100, 3.0, 1.0)
    again = np.concatenate([np.arange(400), np.arange(100), np.arange(100)])
    np.testing.assert_allclose(
        fit_calibration(logit, label, days), fit_calibration(logit[again], label[again]), rtol=1e-3
    )
    thrice = hospital_factors(logit[again], label[again], hospital[again], 7, 1)
    assert hospital_factors(logit, label, hospital, 7, days) == pytest.approx(thrice)


def test_an_own_attack_lifts_the_chance_and_leaves_the_alarm_score() -> None:
    state = PersonalState.empty(2)
    everyone = np.ones(2, dtype=np.bool_)
    for onset in ([False, False], [True, False], [False, False]):
        day = advance_personal(
            state,
            np.array([-4.0, -4.0]),
            7,
            onset=np.array(onset),
            recovering=~everyone,
            scored=everyone,
            days_since_entry=np.zeros(2, dtype=np.int32),
        )
    assert day.shift[0] > 0.2 > 0 > day.shift[1]
    assert day.logit[0] > day.logit[1]
    assert day.alarm_score[0] == day.alarm_score[1]


def test_an_observer_who_knows_the_law_but_not_the_state_comes_near_the_oracle_from_the_diary_alone() -> None:
    patients, days = 120, 60
    chance = attainable_chance(1, patients, days, 160).astype(np.float64)
    assert chance.shape == (days, patients)
    assert ((chance >= 0) & (chance <= 1)).all()
    oracle = simulate(1, 3_000, days, oracle=True).truth.chance_within[7][:patients].T
    assert 0.8 < chance.mean() / oracle.mean() < 1.25
    high = oracle > np.quantile(oracle, 0.9)
    assert 0.8 < auroc(chance.ravel(), high.ravel()) < 0.999
