from dataclasses import replace

import numpy as np
import pytest

from ml.contract import REASON_UNITS, Diaries, Profiles, RiskForecast
from ml.forecaster import SHIPPED_MODEL, Forecaster, load
from ml.personal import HOSPITAL_PRIOR_ATTACKS
from ml.training.fit import Cohort
from tests.ml.conftest import FIRST_DAY

TODAY = FIRST_DAY + 60


def one_diary(**changes: object) -> Diaries:
    """Sixty calm days of one patient with peak flow near 400 L/min; `changes` replace a column's last four days."""
    days = 60
    rng = np.random.default_rng(5)
    columns = {
        "morning_litres_per_min": 400 + rng.normal(0, 12, days),
        "evening_litres_per_min": 410 + rng.normal(0, 12, days),
        "day_symptoms": (rng.random(days) < 0.1).astype(float),
        "night_waking": np.zeros(days),
        "reliever_puffs": rng.poisson(0.3, days).astype(float),
    }
    for name, values in changes.items():
        columns[name][-4:] = values
    return Diaries.of(np.zeros(days), FIRST_DAY + 1 + np.arange(days), **columns)


def forecast_one(forecaster: Forecaster, diary: Diaries, today: int = TODAY, **profile: float) -> RiskForecast:
    profiles = Profiles.of(1, **{"age_years": 40.0, "personal_best_litres_per_min": 450.0, **profile})
    return forecaster.forecast(diary, profiles, np.array([today], dtype=np.int32))[0]


@pytest.fixture(scope="module")
def shipped() -> Forecaster:
    return load(SHIPPED_MODEL)


def test_a_failing_week_is_higher_and_says_why_in_natural_units(shipped: Forecaster) -> None:
    calm = forecast_one(shipped, one_diary())
    failing = forecast_one(
        shipped,
        one_diary(
            morning_litres_per_min=[360, 330, 300, 280],
            evening_litres_per_min=[370, 340, 310, 290],
            day_symptoms=[1, 2, 2, 3],
            night_waking=[0, 1, 1, 1],
            reliever_puffs=[3, 5, 6, 8],
        ),
    )
    assert calm.probability is not None
    assert failing.probability is not None
    assert failing.probability[7] > 5 * calm.probability[7]
    assert (calm.level, failing.level) == ("usual", "high")
    reasons = {reason.code: reason for reason in failing.reasons}
    assert 1 <= len(failing.reasons) <= 3
    assert all(reason.unit == REASON_UNITS[reason.code] for reason in failing.reasons)
    assert {"peak_flow_below_usual", "symptoms_above_usual", "reliever_above_usual"} & set(reasons)
    if "peak_flow_below_usual" in reasons:
        assert 15 < reasons["peak_flow_below_usual"].value < 35
    if "reliever_above_usual" in reasons:
        assert 3 < reasons["reliever_above_usual"].value < 8


def test_the_chance_never_falls_as_the_horizon_grows(forecaster: Forecaster, cohort: Cohort) -> None:
    as_of = np.full(len(cohort.profiles), FIRST_DAY + 120, dtype=np.int32)
    for forecast in forecaster.forecast(cohort.diaries, cohort.profiles, as_of):
        assert forecast.probability is not None
        assert list(forecast.probability) == [3, 7, 14]
        assert 0 < forecast.probability[3] <= forecast.probability[7] <= forecast.probability[14] < 1


@pytest.mark.parametrize("diary_days", [0, 1, 6])
def test_before_seven_diary_days_there_is_no_number(forecaster: Forecaster, diary_days: int) -> None:
    diary = one_diary().rows(slice(0, diary_days))
    forecast = forecast_one(forecaster, diary)
    assert forecast.status == "not_enough_data"
    assert forecast.diary_days == diary_days
    assert (forecast.probability, forecast.level, forecast.alarm_score) == (None, None, None)
    assert forecast.reasons == ()


def test_the_seventh_diary_day_brings_a_provisional_forecast(forecaster: Forecaster) -> None:
    forecast = forecast_one(forecaster, one_diary().rows(slice(0, 7)), today=FIRST_DAY + 7)
    assert (forecast.status, forecast.provisional, forecast.days_since_entry) == ("ready", True, 0)
    assert not forecast_one(forecaster, one_diary()).provisional


def test_days_with_nothing_but_an_attack_are_not_diary_days(forecaster: Forecaster) -> None:
    attacks = Diaries.of(np.zeros(9), FIRST_DAY + np.arange(9), systemic_steroids=1)
    assert forecast_one(forecaster, attacks).diary_days == 0


@pytest.mark.parametrize("column", ["day_symptoms", "reliever_puffs", "evening_litres_per_min"])
def test_one_kind_of_entry_is_enough_for_a_forecast(forecaster: Forecaster, column: str) -> None:
    full = one_diary()
    diary = Diaries.of(full.patient_index, full.day, **{column: getattr(full, column)})
    forecast = forecast_one(forecaster, diary, personal_best_litres_per_min=np.nan, age_years=np.nan)
    assert forecast.status == "ready"
    assert forecast.probability is not None
    assert 0 < forecast.probability[7] < 0.5


def test_what_happens_after_today_changes_nothing(forecaster: Forecaster, cohort: Cohort) -> None:
    as_of = np.full(len(cohort.profiles), FIRST_DAY + 70, dtype=np.int32)
    past = cohort.diaries.rows(cohort.diaries.day <= FIRST_DAY + 70)
    assert forecaster.forecast(cohort.diaries, cohort.profiles, as_of) == forecaster.forecast(
        past, cohort.profiles, as_of
    )


def test_a_patient_alone_gets_the_same_forecast_as_in_company(forecaster: Forecaster, cohort: Cohort) -> None:
    as_of = np.arange(FIRST_DAY + 20, FIRST_DAY + 20 + len(cohort.profiles), dtype=np.int32)
    together = forecaster.forecast(cohort.diaries, cohort.profiles, as_of)
    for patient in (0, 7, 93, 159):
        alone = cohort.chosen(np.array([patient]))
        (found,) = forecaster.forecast(alone.diaries, alone.profiles, as_of[[patient]])
        expected = together[patient]
        assert replace(found, probability=None, alarm_score=None, reasons=()) == replace(
            expected, probability=None, alarm_score=None, reasons=()
        )
        assert found.probability == pytest.approx(expected.probability, abs=1e-12)
        assert [reason.code for reason in found.reasons] == [reason.code for reason in expected.reasons]


def test_diaries_of_very_unlike_length_keep_their_own_forecasts(
    forecaster: Forecaster, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(8)
    as_of = (FIRST_DAY - 5 + rng.integers(0, 400, len(cohort.profiles))).astype(np.int32)
    together = forecaster.forecast(cohort.diaries, cohort.profiles, as_of)
    assert {forecast.status for forecast in together} == {"ready", "not_enough_data"}
    monkeypatch.setattr("ml.forecaster.PATIENT_DAYS_AT_ONCE", 900)
    assert forecaster.forecast(cohort.diaries, cohort.profiles, as_of) == together


def test_reasons_add_up_to_the_log_odds(forecaster: Forecaster, cohort: Cohort) -> None:
    from ml.features.daily import patient_days
    from ml.reasons import grouped

    features = patient_days(cohort.diaries, cohort.profiles).features[100]
    for head in forecaster.model.heads.values():
        shares, rest = head.contributions(features)
        np.testing.assert_allclose(shares.sum(axis=1) + rest, head.logit(features), atol=1e-9)
        np.testing.assert_allclose(grouped(shares).sum(axis=1), shares.sum(axis=1), atol=1e-12)


def test_a_nightly_run_explains_only_who_stands_out(forecaster: Forecaster, cohort: Cohort) -> None:
    as_of = np.full(len(cohort.profiles), FIRST_DAY + 120, dtype=np.int32)
    everyone = forecaster.forecast(cohort.diaries, cohort.profiles, as_of)
    nightly = forecaster.forecast(cohort.diaries, cohort.profiles, as_of, explain="raised")
    for full, short in zip(everyone, nightly, strict=True):
        assert short == replace(full, reasons=() if full.level == "usual" else full.reasons)


def test_a_silent_patient_is_still_scored_and_the_silence_is_told(forecaster: Forecaster) -> None:
    forecast = forecast_one(forecaster, one_diary(), today=TODAY + 12)
    assert (forecast.status, forecast.days_since_entry) == ("ready", 12)


def test_arrays_that_do_not_fit_together_are_refused(forecaster: Forecaster) -> None:
    with pytest.raises(ValueError, match="names patient 0; profiles has 0"):
        forecaster.forecast(one_diary(), Profiles.of(0), np.zeros(0, dtype=np.int32))
    with pytest.raises(ValueError, match="1 patients are given"):
        forecaster.forecast(one_diary(), Profiles.of(1), np.zeros(2, dtype=np.int32))


def test_a_site_that_sees_fewer_attacks_than_expected_is_forecast_lower_but_never_by_the_whole_ratio(
    forecaster: Forecaster,
) -> None:
    settled = forecaster.adapted(hospital_counts={77: (0.0, HOSPITAL_PRIOR_ATTACKS)})
    before, after = (forecast_one_at(77, found) for found in (forecaster, settled))
    odds = [chance / (1 - chance) for chance in (before, after)]
    # (k + 0) / (k + k), but for the little that the patient's own attack-free weeks now say less.
    assert 0.5 <= odds[1] / odds[0] < 0.52
    assert forecast_one_at(78, settled) == forecast_one_at(78, forecaster)


def test_thresholds_set_anew_change_the_level_and_not_the_chance(forecaster: Forecaster) -> None:
    usual = forecast_one(forecaster, one_diary())
    assert usual.alarm_score is not None
    louder = forecast_one(
        forecaster.adapted(amber_threshold=usual.alarm_score, red_threshold=usual.alarm_score + 1), one_diary()
    )
    assert (usual.level, louder.level) == ("usual", "raised")
    assert louder.probability == usual.probability
    with pytest.raises(ValueError, match="red threshold must not lie below"):
        forecaster.adapted(amber_threshold=0.0, red_threshold=-1.0)


def forecast_one_at(hospital: int, forecaster: Forecaster) -> float:
    profile = Profiles.of(1, hospital=hospital)
    (found,) = forecaster.forecast(one_diary(), profile, np.array([TODAY], dtype=np.int32))
    assert found.probability is not None
    return found.probability[7]
