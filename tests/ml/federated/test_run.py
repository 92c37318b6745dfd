import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.federated.coordinator import Outcome
from ml.federated.exchange import RunRefused
from ml.federated.hospital_data import cohort_file_source
from ml.federated.plan import FederationPlan
from ml.federated.site import Hospital
from ml.forecaster import load
from ml.registry import Registry
from ml.training.cohort_file import write_cohort
from ml.training.fit import Cohort
from tests.ml.federated.networks import NOW, PLAN, SmallNetwork, own_data, small_network


def test_a_run_ends_with_a_model_that_a_registry_admits(finished: tuple[SmallNetwork, Outcome], tmp_path: Path) -> None:
    network, _ = finished
    registry = Registry(tmp_path)
    assert registry.admit(network.folder / "run" / "model", by="test", now=NOW) == "federated-1"


def test_the_model_forecasts_every_hospitals_patients(
    finished: tuple[SmallNetwork, Outcome], cohorts: dict[str, Cohort]
) -> None:
    network, _ = finished
    forecaster = load(network.folder / "run" / "model")
    for cohort in cohorts.values():
        found = forecaster.forecast(cohort.diaries, cohort.profiles, cohort.last_day.astype(np.int32))
        ready = [forecast for forecast in found if forecast.status == "ready"]
        assert len(ready) > len(found) // 2
        assert all(forecast.probability and 0 < forecast.probability[7] < 1 for forecast in ready)


def test_the_card_counts_hospitals_and_names_no_patient(finished: tuple[SmallNetwork, Outcome]) -> None:
    network, outcome = finished
    data = json.loads((network.folder / "run" / "model" / "card.json").read_text())["data"]
    assert (data["hospitals"], data["trees"], data["privacy"]["masked"]) == (4, "one_shot", True)
    assert data["patients_at_least"] == 250
    assert data["rounds"] == outcome.rounds - 1
    assert not any(name in json.dumps(data) for name in network.hospitals)


def test_a_hospital_that_adopts_the_model_finds_its_own_factor(finished: tuple[SmallNetwork, Outcome]) -> None:
    network, outcome = finished
    card = json.loads((network.folder / "run" / "model" / "card.json").read_text())
    assert card["hospitals"] == {f"id-of-{name}": code for code, name in enumerate(network.hospitals)}
    kept = json.loads((network.folder / "run" / "steps" / "thresholds.json").read_text())["fields"]
    for name, facts in kept.items():
        assert outcome.model.hospital_factor[card["hospitals"][f"id-of-{name}"]] == facts["factor"]


def test_two_hospitals_cannot_bring_the_same_hospitals_patients(tmp_path: Path, cohorts: dict[str, Cohort]) -> None:
    network = small_network(tmp_path, cohorts)
    copy = network.hospitals["dijon"]
    network.hospitals["dijon"] = Hospital(copy.folder, source=own_data("aden", cohorts["aden"]), now=lambda: NOW)
    federation = network.federation(expected=3)
    federation.regressions()
    members = federation.exchange.members
    assert members.events == ["dijon does not take part: its patients are another hospital's"]
    assert set(members.own_ids) == set(members.node) == {"aden", "brno", "cork"}


def test_the_ids_come_with_the_file_that_a_hospitals_soom_exports(tmp_path: Path, cohorts: dict[str, Cohort]) -> None:
    write_cohort(cohorts["aden"], tmp_path / "cohort.npz", {"3f2a": 0})
    assert cohort_file_source(tmp_path / "cohort.npz")().own_ids == ("3f2a",)


def test_the_federated_model_beats_the_base_rate_and_chance(finished: tuple[SmallNetwork, Outcome]) -> None:
    _, outcome = finished
    held_out = outcome.model.card["held_out"]["7"]
    assert held_out["log_loss"] < held_out["log_loss_of_base_rate"]
    assert held_out["auroc"] > 0.65


def test_masks_change_nothing_but_what_the_coordinator_sees(
    finished: tuple[SmallNetwork, Outcome], network: SmallNetwork, cohorts: dict[str, Cohort]
) -> None:
    _, outcome = finished
    plain = network.train(plan=replace(PLAN, privacy=replace(PLAN.privacy, masked=False)))
    masked_head, plain_head = outcome.model.heads[7], plain.model.heads[7]
    assert np.allclose(masked_head.linear.coefficient, plain_head.linear.coefficient, atol=1e-4)
    assert masked_head.trees.booster.num_trees() == plain_head.trees.booster.num_trees()
    assert abs(outcome.model.amber_threshold - plain.model.amber_threshold) <= 0.025 + 1e-9


def test_the_coordinator_keeps_nothing_of_one_hospital_but_trees_and_figures(
    finished: tuple[SmallNetwork, Outcome],
) -> None:
    network, _ = finished
    steps = network.folder / "run" / "steps"
    for file in sorted(steps.glob("*.json")):
        kept = json.loads(file.read_text())
        numbers = {key for fields in kept["fields"].values() for key in fields}
        assert numbers <= {"patients", "one_shot", "factor", "enough", "adopt", "why"}
        assert not any(kept["texts"].values()) or file.name == "grow-00.json"


def test_a_run_that_was_killed_goes_on_where_it_stopped(network: SmallNetwork) -> None:
    class Killed(BaseException):
        pass

    said: list[str] = []

    def die_after_growing(line: str) -> None:
        said.append(line)
        if line.startswith("trees of"):
            raise Killed

    with pytest.raises(Killed):
        network.train(say=die_after_growing)
    asked = {name: len(ledger_of(network, name)) for name in network.hospitals}
    outcome = network.train()
    steps = [entry["step"] for entry in ledger_of(network, "aden")[asked["aden"] :]]
    assert steps == ["hello", "held_out", "thresholds", "judge"]
    assert outcome.model.heads[7].trees.booster.num_trees() > 0


def ledger_of(network: SmallNetwork, name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (network.folder / name / "ledger.jsonl").read_text().splitlines()]


def test_a_folder_of_another_plan_is_not_gone_on_with(finished: tuple[SmallNetwork, Outcome]) -> None:
    network, _ = finished
    with pytest.raises(RunRefused, match="another plan"):
        network.train(plan=replace(PLAN, seed=99))


def test_bagged_trees_are_taken_only_where_they_are_no_worse(network: SmallNetwork) -> None:
    said: list[str] = []
    outcome = network.train(plan=replace(PLAN, challenger_rounds=2), say=said.append)
    verdict = next(line for line in said if line.startswith("bagged trees"))
    bagged, one_shot = (float(part) for part in verdict.rsplit(" ", 3)[-3::2])
    promoted = outcome.model.card["data"]["trees"] == "bagged"
    assert promoted == ("do not" not in verdict)
    assert not promoted or bagged >= one_shot


def test_hospitals_judge_the_model_on_patients_who_trained_nothing(tmp_path: Path, cohorts: dict[str, Cohort]) -> None:
    network = small_network(tmp_path, cohorts)
    judgement = network.train(plan=replace(PLAN, set_aside=0.2)).judgement
    assert set(judgement) == set(cohorts)
    judged = [found for found in judgement.values() if found["enough"]]
    assert judged
    assert all(0 < found["federated"]["auroc"] <= 1 for found in judged)


def test_patients_without_attacks_make_a_clear_refusal(tmp_path: Path, cohorts: dict[str, Cohort]) -> None:
    quiet = {}
    for name, cohort in cohorts.items():
        none = np.zeros_like(cohort.diaries.systemic_steroids)
        quiet[name] = replace(cohort, diaries=replace(cohort.diaries, systemic_steroids=none))
    with pytest.raises(RunRefused, match="too few to learn from"):
        small_network(tmp_path, quiet).train()


def test_a_plan_without_the_seven_day_horizon_is_refused(network: SmallNetwork) -> None:
    with pytest.raises(RunRefused, match="7-day"):
        network.train(plan=FederationPlan(horizons=(3,)))
