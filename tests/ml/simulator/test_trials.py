import copy
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ml.simulator import cli
from ml.simulator.parameters import frozen
from ml.simulator.trial_analysis import hazard_ratio, matched_rate_ratio, poisson_regression
from ml.simulator.trial_fields import TrialSpecError
from ml.simulator.trial_spec import parse
from ml.simulator.trials import _one_chunk, run_trial
from ml.simulator.validation import listed_trials

TRIAL: dict[str, Any] = tomllib.loads("""
title = "A small trial"
duration_days = 200
adherence_mean = 0.8
patients = 1500
before_days = 60
[eligibility.traits]
age_years = [18, 70]
treatment_step = [3, 5]
[arms.none]
reliever = "saba"
[arms.steroid]
ics = { drug = "budesonide", micrograms_per_day = 800 }
[arms.mart]
ics = { drug = "budesonide", micrograms_per_day = 800 }
laba = true
reliever = "ics_formoterol"
reliever_ics = { drug = "budesonide", micrograms_per_puff = 200 }
[outcomes.severe]
events = ["severe_attack"]
[[comparisons]]
outcome = "severe"
arm = "steroid"
reference = "none"
""")


def _trial(**changes: Any) -> dict[str, Any]:
    return copy.deepcopy(TRIAL) | changes


def test_inhaled_steroid_prevents_attacks_and_maintenance_and_reliever_therapy_more() -> None:
    result = run_trial(parse(TRIAL, "small"))
    rates = {arm: rate["severe"] for arm, rate in result.rates.items()}
    assert rates["none"] > 1.5 * rates["steroid"] > 1.5 * rates["mart"] > 0
    peak_flow = {arm: level["morning_litres_per_min"] for arm, level in result.levels.items()}
    assert peak_flow["mart"] > peak_flow["steroid"] > peak_flow["none"]


def test_two_arms_with_the_same_regimen_have_a_ratio_of_exactly_one() -> None:
    steroid = TRIAL["arms"]["steroid"]
    spec = parse(_trial(arms={"none": steroid, "steroid": steroid}, patients=300), "same")
    assert run_trial(spec).estimates[0].value == 1


def test_all_arms_have_the_same_participants_at_the_start() -> None:
    first, second = (run_trial(parse(_trial(seed=5, patients=200), "again")) for _ in range(2))
    assert first.rates == second.rates


def test_stopping_treatment_on_a_day_lies_between_continuing_and_never_having_it() -> None:
    steroid = TRIAL["arms"]["steroid"]
    arms = {"none": {}, "steroid": steroid, "stopped": steroid | {"changes": [{"on_day": 100, "reliever": "saba"}]}}
    rates = run_trial(parse(_trial(arms=arms), "stop")).rates
    assert rates["steroid"]["severe"] < rates["stopped"]["severe"] < rates["none"]["severe"]


def test_a_rescue_regimen_only_helps_the_arm_that_has_it() -> None:
    arms = {"none": {}, "steroid": {"rescue": TRIAL["arms"]["steroid"]}}
    rates = run_trial(parse(_trial(arms=arms), "rescue")).rates
    assert rates["steroid"]["severe"] < rates["none"]["severe"]


def test_better_adherence_and_technique_reach_the_lung() -> None:
    steroid = TRIAL["arms"]["steroid"]
    arms = {
        "none": steroid,
        "steroid": steroid | {"adherence_logit_shift": 1.5, "technique": 1.0},
    }
    levels = run_trial(parse(_trial(arms=arms, patients=300), "adherence")).levels
    assert levels["steroid"]["adherence"] > levels["none"]["adherence"] + 0.05
    assert levels["steroid"]["ics_micrograms_per_day"] > 1.2 * levels["none"]["ics_micrograms_per_day"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durations": 3}, "unknown key durations"),
        ({"arms": {"none": {"ics": {"drug": "water", "micrograms_per_day": 1}}}}, "arms.none.ics.drug"),
        ({"arms": {"none": {"reliever": "ics_saba"}}}, "reliever_ics_micrograms_per_puff"),
        ({"arms": {"none": {"colour": "blue"}}}, "arms.none: unknown key colour"),
        ({"outcomes": {"severe": {"events": ["sneeze"]}}}, "'sneeze' is not one of"),
        ({"eligibility": {"traits": {"age_years": [70, 18]}}}, "low 70 exceeds high 18"),
        ({"comparisons": [{"outcome": "severe", "arm": "steroid", "reference": "moon"}]}, "'moon' is not one of"),
        ({"comparisons": [{"outcome": "severe", "arm": "steroid"}]}, "missing key reference"),
        ({"patients": -5}, "patients: -5 is not between"),
        ({"duration_days": "a year"}, "duration_days: expected a whole number"),
        ({"run_in_days": 0}, "run_in_days: 0 is not between"),
        ({"adherence_mean": 1.5}, "adherence_mean: expected a number between 0 and 1"),
        ({"arms": 3}, "arms: expected a table"),
        ({"arms": {"none": {"reliever": "albuterol"}}}, "'albuterol' is not one of"),
        ({"arms": {"none": {"biologic": "dupilumab"}}}, "'dupilumab' is not one of"),
        ({"arms": {"none": {"laba": "yes"}}}, "arms.none.laba: expected true or false"),
        ({"arms": {"none": {"ics": {"drug": "budesonide"}}}}, "missing key micrograms_per_day"),
        ({"arms": {"none": {"changes": [{"on_day": 5000}]}}}, "on_day: 5000 is not between"),
        ({"outcomes": {"severe": {"criteria": [{"days": 2, "rise": 1}]}}}, "missing key signal"),
        ({"eligibility": {"traits": {"age_years": [-9, -1]}}}, "6 to 82 years"),
        (
            {"eligibility": {"history": {"severe_attacks_last_year": [1, 9]}}, "before_days": 60},
            "before_days: must be 365 or more",
        ),
        ({"regressions": [{"outcome": "severe", "arm": "none", "terms": ["luck"]}]}, "'luck' is not one of"),
        ({"levels": [{"quantity": "rate", "arm": "none", "target": {"value": 1}}]}, "missing key outcome"),
        ({"levels": [{"quantity": "fev1_litres", "target": {"value": 1}}]}, "known of the run-in are"),
    ],
)
def test_a_wrong_specification_is_refused_with_the_name_of_the_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TrialSpecError, match=message):
        parse(_trial(**change), "wrong")


def test_a_trial_that_nobody_is_eligible_for_says_so() -> None:
    nobody = _trial(eligibility={"traits": {"eosinophils_per_microlitre": [90_000, 99_000]}})
    with pytest.raises(ValueError, match="exclude nearly everyone"):
        run_trial(parse(nobody, "nobody"))


def test_the_command_prints_ratios_with_their_monte_carlo_error(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text('title = "x"\nduration_days = 60\n[arms.a]\n[arms.b]\nlaba = true\nics_micrograms_per_day = 400\n'
                    '[outcomes.severe]\nevents = ["severe_attack"]\n'
                    '[[comparisons]]\noutcome = "severe"\narm = "b"\nreference = "a"\n', encoding="utf-8")  # fmt: skip
    printed = CliRunner().invoke(cli.app, ["trial", str(path), "--patients", "1000"])
    assert printed.exit_code == 0, printed.output
    assert "severe: b / a (rate ratio)" in printed.output
    assert "MC SE of ln" in printed.output


def test_the_command_refuses_a_broken_file_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text("title = ", encoding="utf-8")
    printed = CliRunner().invoke(cli.app, ["trial", str(path)])
    assert printed.exit_code == 2
    assert "not valid TOML" in printed.output


def test_the_command_says_in_one_line_that_nobody_is_eligible(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text('title = "x"\nduration_days = 60\n[eligibility.traits]\nfeno_ppb = [9000, 9999]\n[arms.a]\n'
                    '[outcomes.severe]\nevents = ["severe_attack"]\n', encoding="utf-8")  # fmt: skip
    printed = CliRunner().invoke(cli.app, ["trial", str(path), "--patients", "100"])
    assert printed.exit_code == 2
    assert printed.output.startswith("trial.toml: eligibility.traits: only 0 of")
    assert printed.output.count("\n") == 1


def test_an_odds_ratio_counts_patients_and_not_their_attacks() -> None:
    often = _trial(
        eligibility={"traits": {"treatment_step": [5, 5]}},
        severity_shift=1.0,
        comparisons=[{"outcome": "severe", "arm": "steroid", "reference": "none", "measure": "odds_ratio"}],
        patients=300,
    )
    result = run_trial(parse(often, "often"))
    assert result.rates["none"]["severe"] > 2
    assert 0 < result.estimates[0].value < 1


def test_attacks_of_the_last_year_are_not_those_before_it() -> None:
    def years_before(days: int) -> float:
        limits = {"severe_attacks_last_year": [1, 99]}
        spec = parse(_trial(eligibility={"history": limits}, before_days=days, patients=100), "history")
        return float(_one_chunk(spec, frozen(), 0, 700).before["severe_attacks_last_year"].mean())

    assert years_before(730) == pytest.approx(years_before(365), rel=0.2)


def test_every_listed_trial_can_be_read_and_has_a_target() -> None:
    specs = listed_trials()
    assert {spec.row for spec in specs} == {1, 3, 7, 8, 9, 10, 12, 14, 16, 17, 18, 21, 22}
    for spec in specs:
        targets = [c.target for c in spec.comparisons] + [level.target for level in spec.levels]
        targets += [target for regression in spec.regressions for target in regression.targets.values()]
        assert any(target is not None for target in targets), spec.name


@settings(max_examples=25, deadline=None)
@given(st.floats(0.3, 3.0), st.integers(0, 10_000))
def test_a_hazard_ratio_is_found_again(true_ratio: float, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def first_days(rate: float) -> np.ndarray[Any, np.dtype[np.int32]]:
        day = rng.exponential(1 / rate, 20_000)
        return np.where(day < 365, day, -1).astype(np.int32)

    value, error = hazard_ratio(first_days(0.002 * true_ratio), first_days(0.002), 365)
    assert abs(np.log(value / true_ratio)) < 5 * error + 0.01


def test_matching_narrows_the_error_of_a_hazard_ratio_as_far_as_the_pairs_agree() -> None:
    rng = np.random.default_rng(8)

    def estimate(shared: bool) -> tuple[float, float]:
        luck = rng.exponential(1, 4000)
        other = luck if shared else rng.exponential(1, 4000)
        first_t, first_c = luck / 0.001, other / 0.002
        days = [np.where(first < 365, first, -1).astype(np.int32) for first in (first_t, first_c)]
        return hazard_ratio(days[0], days[1], 365, matched=True)

    spread = np.std([np.log(estimate(shared=False)[0]) for _ in range(200)])
    assert estimate(shared=False)[1] == pytest.approx(spread, rel=0.2)
    shared_spread = np.std([np.log(estimate(shared=True)[0]) for _ in range(200)])
    assert estimate(shared=True)[1] == pytest.approx(shared_spread, rel=0.2)
    assert shared_spread < 0.8 * spread


def test_a_poisson_regression_finds_its_coefficients_again() -> None:
    rng = np.random.default_rng(3)
    columns = rng.standard_normal((40_000, 2))
    counts = rng.poisson(np.exp(-0.5 + columns @ [0.4, -0.2])).astype(float)
    beta, error = poisson_regression(columns, counts)
    np.testing.assert_allclose(beta, [-0.5, 0.4, -0.2], atol=4 * error.max())


def test_matching_makes_the_monte_carlo_error_of_a_ratio_small() -> None:
    rng = np.random.default_rng(1)
    control = rng.poisson(2.0, 5000).astype(float)
    treated = rng.binomial(control.astype(int), 0.5).astype(float)
    ratio, error = matched_rate_ratio(treated, control)
    assert abs(np.log(ratio / 0.5)) < 4 * error
    assert error < np.sqrt(1 / treated.sum() + 1 / control.sum())
