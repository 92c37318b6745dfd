import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ml.alarms import REFRACTORY_DAYS, alarm_days, alarms_per_patient_month, threshold_for_budget
from ml.evaluation.bootstrap import patient_weights, weighted_aurocs
from ml.evaluation.challenge import challenge
from ml.evaluation.contenders import LINEAR, PLAIN_TREES, POPULATION, PRODUCT
from ml.evaluation.drift import drift_report
from ml.evaluation.metrics import alarm_counts, auroc, net_benefit, within_patient_auroc
from ml.evaluation.report import write_report
from ml.evaluation.splits import Scheme, splits
from ml.evaluation.study import StudyPlan, judge_model, run_study
from ml.evaluation.study_data import StudyData, study_data
from ml.model import MAIN_HORIZON_DAYS, Model
from ml.training.fit import Cohort
from ml.training.outcome import onset_within
from tests.ml.conftest import SMALL_PLAN, made_up_cohort

QUICK = frozenset({PRODUCT, POPULATION, LINEAR, PLAIN_TREES})


@pytest.fixture(scope="module")
def data(cohort: Cohort) -> StudyData:
    return study_data(cohort)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60))
def test_auroc_with_ties_is_that_of_the_textbook(rows: list[tuple[int, bool]]) -> None:
    score = np.array([score for score, _ in rows], dtype=np.float64)
    label = np.array([label for _, label in rows])
    if label.all() or not label.any():
        assert np.isnan(auroc(score, label))
        return
    assert auroc(score, label) == pytest.approx(roc_auc_score(label, score))
    once = np.ones((1, len(rows)))
    assert weighted_aurocs(score, label, np.arange(len(rows)), once)[0] == pytest.approx(auroc(score, label))


def test_drawing_a_patient_twice_counts_its_rows_twice() -> None:
    rng = np.random.default_rng(2)
    score, label, patient = rng.normal(size=90), rng.random(90) < 0.3, np.repeat(np.arange(9), 10)
    (weights,) = patient_weights(9, seed=3, replicates=1)
    repeated = np.repeat(np.arange(90), weights[patient].astype(int))
    found = weighted_aurocs(score, label, patient, weights[None, :])[0]
    assert found == pytest.approx(roc_auc_score(label[repeated], score[repeated]))


def test_within_patient_auroc_does_not_reward_knowing_who_is_ill() -> None:
    patient = np.repeat([0, 1, 2], 10)
    label = np.tile([True] + [False] * 9, 3)
    label[:10] = False
    assert within_patient_auroc(patient.astype(np.float64), label, patient) == 0.5
    assert within_patient_auroc(label - 5.0 * patient, label, patient) == 1.0


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.05, 3.0))
def test_alarms_keep_their_budget_and_their_week_of_rest(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    score, judged = rng.normal(size=(90, 12)), rng.random((90, 12)) < 0.8
    threshold = threshold_for_budget(score, judged, budget)
    alarm = alarm_days(score, judged, threshold)
    assert alarms_per_patient_month(alarm, judged) <= budget
    assert not (alarm & ~judged).any()
    for patient in range(12):
        assert (np.diff(np.flatnonzero(alarm[:, patient])) >= REFRACTORY_DAYS).all()


def test_an_attack_is_foreseen_only_by_an_alarm_in_the_week_before() -> None:
    score, judged, onset = np.zeros((40, 3)), np.ones((40, 3), dtype=bool), np.zeros((40, 3), dtype=bool)
    onset[20] = True
    score[17, 0] = score[12, 1] = score[20, 2] = 1.0
    counts = alarm_counts(score, judged, onset, 1.0)
    assert counts.caught.tolist() == [1, 0, 0]
    assert counts.lead_days.tolist() == [3, 0, 0]
    assert counts.figures(1.0).ppv == pytest.approx(1 / 3)


def test_the_label_is_an_onset_after_today_and_within_the_horizon() -> None:
    onset = np.zeros((30, 1), dtype=bool)
    onset[15] = True
    assert np.flatnonzero(onset_within(onset, 7)[:, 0]).tolist() == list(range(8, 15))


def test_net_benefit_of_acting_on_everyone_is_that_of_the_formula() -> None:
    label = np.array([True, False, False, False])
    assert net_benefit(np.ones(4, dtype=bool), label, 0.2) == pytest.approx(0.25 - 0.75 * 0.25)


@pytest.mark.parametrize("scheme", ["patient_wise", "leave_one_hospital_out", "rolling_origin"])
def test_no_row_is_learned_from_and_judged_on(data: StudyData, scheme: Scheme) -> None:
    found = list(splits(data, scheme, folds=3, seed=1))
    assert found
    for split in found:
        assert split.test.any()
        assert not (split.learn & split.test).any()
        if scheme == "rolling_origin":
            # An outcome reaches a horizon ahead of its day and must be closed before the first judged day.
            last_learned = np.where(split.learn, data.days.day, 0).max()
            assert last_learned + MAIN_HORIZON_DAYS < data.days.day[split.test].min()
        else:
            assert not (split.learn.any(axis=0) & split.test.any(axis=0)).any()
    if scheme != "rolling_origin":
        assert (np.sum([split.test for split in found], axis=0) == 1).all()


def test_a_study_finds_the_signal_and_its_report_can_be_read(data: StudyData, tmp_path: Path) -> None:
    # The same seed and number of folds outside and inside once left an inner fold without a single row.
    plan = StudyPlan(folds=SMALL_PLAN.folds, seed=SMALL_PLAN.seed, training=SMALL_PLAN, contenders=QUICK)
    study = run_study(data, plan)
    contenders = study["contenders"]
    assert {*QUICK, "action_plan_yellow_or_red", "bioair_rule"} <= set(contenders)
    for name in (PRODUCT, LINEAR):
        assert contenders[name]["auroc"]["low"] > 0.7
        assert contenders[name]["auroc"]["low"] < contenders[name]["auroc"]["value"] < contenders[name]["auroc"]["high"]
        assert 0.7 < contenders[name]["calibration"]["observed_over_expected"] < 1.4
    table = contenders[PRODUCT]["alarms"]
    assert table["0.10"]["sensitivity"] <= table["0.25"]["sensitivity"] <= table["1.00"]["sensitivity"]
    assert study["verdict"].startswith("enough to judge")
    write_report(tmp_path, "Test <cohort>", [study], ["a note"])
    assert json.loads((tmp_path / "report.json").read_text())["studies"][0]["attacks"] == study["attacks"]
    page = (tmp_path / "report.html").read_text()
    assert "Test &lt;cohort&gt;" in page
    assert page.count("<svg") == 3
    assert f"Enough to judge: {study['attacks']} attacks" in page
    by_group = contenders[PRODUCT]["observed_over_expected_by"]
    assert by_group["all"]["all"]["attacks"] == study["attacks"]
    assert sum(group["attacks"] for group in by_group["sex"].values()) == study["attacks"]
    for group in by_group["sex"].values():
        assert group["low"] < group["value"] < group["high"]


def test_too_few_attacks_are_said_to_be_too_few() -> None:
    few = study_data(made_up_cohort(seed=2, patients=12, days=60))
    with pytest.raises(ValueError, match="attacks to learn from, at least 20 are needed"):
        run_study(few, StudyPlan(folds=2, training=SMALL_PLAN, contenders=QUICK))


def test_labels_shuffled_between_patients_leave_nothing_to_foresee(cohort: Cohort, model: Model) -> None:
    data = study_data(cohort)
    order = np.random.default_rng(5).permutation(data.patients)
    shuffled = np.roll(data.label[:, order], 40, axis=0)
    judged = data.judged
    logit = np.where(judged, 0.0, np.nan)
    logit[judged] = model.heads[7].logit(data.days.features[judged])
    assert auroc(logit[judged], data.label[judged]) > 0.75
    assert abs(auroc(logit[judged], shuffled[judged]) - 0.5) < 0.08


def test_drift_is_seen_where_the_clinic_changed_and_not_where_it_did_not(model: Model) -> None:
    same = study_data(made_up_cohort(seed=9, patients=150, days=150))
    calm = drift_report(model, same)
    assert max(calm["feature_shift"].values()) < 0.25
    shifted = made_up_cohort(seed=9, patients=150, days=150)
    puffs = np.minimum(shifted.diaries.reliever_puffs + 6, 99).astype(np.float32)
    object.__setattr__(shifted.diaries, "reliever_puffs", puffs)
    report = drift_report(model, study_data(shifted))
    assert report["feature_shift"]["reliever_fast"] > 0.25
    assert any("reliever_fast" in sentence for sentence in report["attention"])


def test_a_challenger_like_the_champion_may_be_promoted_and_a_miscalibrated_one_not(model: Model) -> None:
    from dataclasses import replace

    data = study_data(made_up_cohort(seed=9, patients=150, days=150))
    assert challenge(model, model, data, seed=1)["verdict"] == "promote"
    loud = replace(
        model, heads={days: replace(head, intercept=head.intercept + 1.5) for days, head in model.heads.items()}
    )
    found = challenge(model, loud, data, seed=1)
    assert found["verdict"] == "keep"
    assert found["challenger"]["observed_over_expected"] < 0.8


def test_a_model_as_it_is_can_be_judged_on_other_diaries(model: Model) -> None:
    study = judge_model(study_data(made_up_cohort(seed=9, patients=60, days=120)), model, seed=1)
    assert study["contenders"][PRODUCT]["auroc"]["value"] > 0.7


def test_the_report_warns_above_every_figure_where_attacks_are_too_few(model: Model, tmp_path: Path) -> None:
    study = judge_model(study_data(made_up_cohort(seed=9, patients=12, days=60)), model, seed=1)
    write_report(tmp_path, "Few", [study], [])
    page = (tmp_path / "report.html").read_text()
    assert page.index("Too few to judge") < page.index("<table")
    assert "too few</td>" in page
    # Unknown figures, of which few attacks leave many, must not break a reader that knows no NaN.
    assert "NaN" not in (tmp_path / "report.json").read_text()
