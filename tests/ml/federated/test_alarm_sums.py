import numpy as np

from ml.evaluation.metrics import alarm_counts
from ml.federated.alarm_sums import THRESHOLDS, alarm_sums


def test_one_pass_over_the_days_counts_what_a_pass_for_each_threshold_counts() -> None:
    rng = np.random.default_rng(4)
    days, patients = 120, 30
    score = rng.normal(-3.0, 2.0, (days, patients))
    judged = rng.random((days, patients)) < 0.6
    onset = rng.random((days, patients)) < 0.03
    # Nobody's days before the first attack of these patients are judged, so those attacks do not count.
    judged[:40, :10] = False
    found = alarm_sums(score, judged, onset)
    for number in range(0, len(THRESHOLDS), 16):
        each = alarm_counts(score, judged, onset, THRESHOLDS[number])
        for name in ("alarms", "caught", "helpful_alarms"):
            assert found[name][number] == getattr(each, name).sum()
        assert found["attacks"][0] == each.attacks.sum() < onset.sum()
        assert found["judged_days"][0] == judged.sum()
    assert found["caught"].max() > 0
