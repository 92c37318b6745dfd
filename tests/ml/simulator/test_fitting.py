from ml.simulator.fitting import fit, moments
from ml.simulator.parameters import frozen
from ml.simulator.validation import listed_trials


def test_fitting_brings_a_spoilt_parameter_nearer_to_the_trials() -> None:
    trials = [spec for spec in listed_trials() if spec.name == "row22_diary_levels"]
    spoilt = frozen().with_values(reliever_log_puffs=frozen().reliever_log_puffs + 0.6)
    fitted = fit(spoilt, trials, free=["reliever_log_puffs"], patients=300, iterations=1)
    before, after = moments(spoilt, trials, 300), moments(fitted, trials, 300)
    assert (after**2).mean() < (before**2).mean()
    assert fitted.reliever_log_puffs < spoilt.reliever_log_puffs
