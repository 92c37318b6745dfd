import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ml.features.catalogue import FAST_COLUMNS
from ml.federated.attack import attack_auroc, patient_losses
from ml.federated.coordinator import Outcome
from ml.federated.differential import clipped_gradient, epsilon_of, noise_for
from ml.federated.growing import FOREST_STEP
from ml.federated.hospital_data import HospitalData, hospital_rows
from ml.federated.messages import Question
from ml.federated.plan import DifferentialPrivacy, FederationPlan, PlanRefused, Privacy, refuse_weaker
from ml.federated.site import Refusal, accept, take_back
from ml.federated.tree_steps import rows_per_leaf
from ml.federated.trees import Tree, read_splits
from ml.training.fit import Cohort
from tests.ml.conftest import made_up_cohort
from tests.ml.federated.disturbances import disturbed, far_thresholds, forged
from tests.ml.federated.networks import NOW, PLAN, SmallNetwork, own_data, small_network

NAMES = ("aden", "brno", "cork", "dijon")


def test_every_leaf_rests_on_ten_patients_of_the_hospital_that_grew_it(
    finished: tuple[SmallNetwork, Outcome], cohorts: dict[str, Cohort]
) -> None:
    network, _ = finished
    texts = json.loads((network.folder / "run" / "steps" / "grow-00.json").read_text())["texts"]
    leaves = 0
    for code, (name, cohort) in enumerate(cohorts.items()):
        rows = hospital_rows(cohort, PLAN, code)
        for variant, text in texts[name].items():
            left_out = int(variant.split("/")[1])
            chosen = rows.chosen(0, left_out)
            inputs = rows.features[chosen][:, FAST_COLUMNS].astype(np.float64)
            for tree in read_with_its_own_thresholds(text):
                reached = tree.leaves(inputs)
                for leaf in range(len(tree.leaf_value)):
                    leaves += 1
                    assert len(np.unique(rows.patient[chosen][reached == leaf])) >= 10
    assert leaves > 50


def read_with_its_own_thresholds(text: str) -> tuple[Tree, ...]:
    thresholds: list[set[float]] = [set() for _ in FAST_COLUMNS]
    lines = text.splitlines()
    for features, values in pairwise(lines):
        if features.startswith("split_feature="):
            for feature, value in zip(features[14:].split(), values[10:].split(), strict=True):
                thresholds[int(feature)].add(float(value))
    return read_splits(text, 100, 7, [np.array(sorted(values)) for values in thresholds])


def test_rows_of_a_leaf_are_more_than_nine_patients_can_have(cohorts: dict[str, Cohort]) -> None:
    rows = hospital_rows(cohorts["aden"], PLAN, 0)
    assert rows_per_leaf(rows, PLAN) > 9 * rows.most_rows_of_a_patient
    assert rows_per_leaf(rows, replace(PLAN, privacy=Privacy(rows_per_leaf=10**5))) == 10**5


def test_a_small_hospital_sends_no_trees_and_the_others_count_whole(network: SmallNetwork) -> None:
    federation = network.federation(plan=replace(PLAN, privacy=replace(PLAN.privacy, patients_to_grow=60)))
    found = federation.regressions()
    forest = federation._one_shot(found.experts, found.edges)
    texts = json.loads((network.folder / "run" / "steps" / "grow-00.json").read_text())["texts"]
    sent = {name: read_with_its_own_thresholds(text["7/-1"]) for name, text in texts.items()}
    assert {name for name, trees in sent.items() if trees} == {"aden", "brno"}
    assert len(forest.trees["7/-1"]) == len(sent["aden"]) + len(sent["brno"])


def test_what_leaves_a_hospital_of_its_trees_says_nothing_of_outcomes(
    finished: tuple[SmallNetwork, Outcome],
) -> None:
    """The splits alone travel; the leaves' values are those of all hospitals' patients together."""
    network, _ = finished
    texts = json.loads((network.folder / "run" / "steps" / "grow-00.json").read_text())["texts"]
    assert all("split_feature=" in text["7/-1"] for text in texts.values())
    assert not any("leaf_value" in text for by_variant in texts.values() for text in by_variant.values())


def test_leaves_are_valued_by_the_patients_of_all_hospitals(
    finished: tuple[SmallNetwork, Outcome], cohorts: dict[str, Cohort]
) -> None:
    network, outcome = finished
    texts = json.loads((network.folder / "run" / "steps" / "grow-00.json").read_text())["texts"]
    parts = [hospital_rows(cohort, PLAN, code) for code, cohort in enumerate(cohorts.values())]
    features = np.concatenate([part.features[part.chosen(0, -1)] for part in parts])
    label = np.concatenate([part.label[0][part.chosen(0, -1)] for part in parts])
    head = outcome.model.heads[7]
    chance = 1 / (1 + np.exp(-head.linear.logit(features)))
    first = read_with_its_own_thresholds(texts["aden"]["7/-1"])
    leaf = first[0].leaves(features[:, FAST_COLUMNS].astype(np.float64))
    # The first tree of the forest is aden's, which has 90 of 250 patients.
    share = 90 / 250 / len(first)
    for number in range(len(first[0].leaf_value)):
        here = leaf == number
        newton = (label[here] - chance[here]).sum() / ((chance * (1 - chance))[here].sum() + 10.0)
        value = head.trees.booster.get_leaf_output(0, number)
        assert value == pytest.approx(FOREST_STEP * share * newton, abs=1e-6)


def test_a_leaf_that_singles_somebody_out_says_nothing(network: SmallNetwork) -> None:
    """A hospital that makes up splits could learn of few patients elsewhere what their leaf's value says."""
    grid = network.grid()
    disturbed(grid, network.node_id["aden"], "grow", forged(far_thresholds))
    federation = network.federation(grid)
    found = federation.regressions()
    forest = federation._one_shot(found.experts, found.edges)
    fewest = PLAN.privacy.rows_per_leaf
    alone = 0
    for name, trees in forest.trees.items():
        for tree, rows in zip(trees, forest.leaf_rows[name], strict=True):
            alone += int((rows < fewest).sum())
            assert (tree.leaf_value[rows < fewest] == 0).all()
            # A leaf that holds every row has nothing to add to the regression.
            assert (tree.leaf_value[(rows >= fewest) & (rows < rows.sum())] != 0).all()
    assert alone > 10


def test_epsilon_agrees_with_published_values() -> None:
    # One Gaussian mechanism with noise sqrt(2 ln(1.25/delta)) / epsilon is (epsilon, delta)-private; Rényi accounting
    # is tighter than that classical bound (Dwork and Roth 2014, theorem A.1), and close to it.
    for epsilon, delta in ((0.5, 1e-5), (0.9, 1e-4)):
        classical = np.sqrt(2 * np.log(1.25 / delta)) / epsilon
        assert 0.7 * epsilon < epsilon_of(classical, 1, delta) < epsilon
    # The continuous minimum over orders of a / (2 s^2) + ln(1/delta) / (a - 1) is 1/(2 s^2) + sqrt(2 ln(1/delta)) / s.
    noise, releases, delta = 20.0, 100, 1e-5
    rho = releases / (2 * noise**2)
    assert epsilon_of(noise, releases, delta) < rho + 2 * np.sqrt(rho * np.log(1 / delta))


def test_noise_keeps_the_budget_and_no_more() -> None:
    budget = DifferentialPrivacy(epsilon=3.0, delta=1e-4)
    noise = noise_for(budget, 60)
    assert epsilon_of(noise, 60, budget.delta) <= 3.0 < epsilon_of(noise * 0.99, 60, budget.delta)


def test_one_patient_moves_the_gradient_by_at_most_the_clip() -> None:
    rng = np.random.default_rng(5)
    inputs, label = rng.normal(size=(600, 4)) * 9, rng.random(600) < 0.3
    patient = np.repeat(np.arange(30, dtype=np.int32), 20)
    whole, patients = clipped_gradient(inputs, label, patient, np.ones(4), 0.25)
    assert patients == 30
    for left_out in range(30):
        rest, _ = clipped_gradient(
            inputs[patient != left_out], label[patient != left_out], patient[patient != left_out], np.ones(4), 0.25
        )
        assert np.linalg.norm(whole - rest) <= 0.25 + 1e-12


def test_the_same_question_gets_the_same_noise_and_the_budget_ends(network: SmallNetwork) -> None:
    plan = replace(PLAN, privacy=replace(PLAN.privacy, masked=False, differential=DifferentialPrivacy(steps=2)))
    hospital = network.hospitals["aden"]
    hospital.answer(Question("r", "hello", 0, (), plan.to_dict()))

    def asked(multiplier: float) -> Question:
        fields = {
            "models": {"m": {"horizon": 7, "left_out": -1}},
            "standard": {"columns": [0, 1], "with_gap": [], "limit": 5.0},
            "noise_multiplier": multiplier,
        }
        arrays = {"standard.centre": np.zeros(2), "standard.scale": np.ones(2), "m.trial": np.zeros(3)}
        return Question("r", "noisy_gradient", 0, NAMES, plan.to_dict(), fields, arrays)

    first, again, second, third = (hospital.answer(asked(value)) for value in (1.0, 1.0, 2.0, 3.0))
    assert np.array_equal(first.arrays["sums"], again.arrays["sums"])
    assert not np.array_equal(first.arrays["sums"], second.arrays["sums"])
    assert third.refusal == "the privacy budget of this run is spent"


def test_a_private_run_comes_to_a_model_that_names_its_budget(network: SmallNetwork) -> None:
    budget = DifferentialPrivacy(epsilon=20.0, steps=12)
    plan = replace(PLAN, privacy=replace(PLAN.privacy, differential=budget))
    card = network.train(plan=plan).model.card
    assert card["data"]["privacy"]["differential"]["epsilon"] == 20.0
    assert "not counts, bins or trees" in card["data"]["privacy"]["covers"]


@pytest.mark.parametrize(
    ("weaker", "reason"),
    [
        ({"masked": False}, "unmasked sums"),
        ({"patients_per_leaf": 3}, "patients_per_leaf is 3"),
        ({"smallest_cell": 1}, "smallest_cell is 1"),
        ({"patients_to_grow": 50}, "patients_to_grow is 50"),
    ],
)
def test_a_plan_weaker_than_the_hospitals_floor_is_refused(weaker: dict[str, int], reason: str) -> None:
    with pytest.raises(PlanRefused, match=reason):
        refuse_weaker(FederationPlan(privacy=Privacy(**weaker)), Privacy())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stored",
    [{"folds": 1}, {"horizons": [7, 3]}, {"surprise": 1}, {"privacy": {"masked": True}, "fewest_hospitals": 2}],
)
def test_an_impossible_plan_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(PlanRefused):
        FederationPlan.from_dict(stored)


def test_a_plan_keeps_its_digest_through_json() -> None:
    plan = FederationPlan(privacy=Privacy(differential=DifferentialPrivacy()))
    assert FederationPlan.from_dict(json.loads(json.dumps(plan.to_dict()))).digest == plan.digest


def test_a_hospital_sees_a_plan_before_it_takes_part(network: SmallNetwork) -> None:
    hospital = network.hospitals["aden"]
    hospital.settings = replace(hospital.settings, accepts="listed")
    question = Question("r", "hello", 0, (), PLAN.to_dict())
    assert "waits for this hospital's acceptance" in str(hospital.answer(question).refusal)
    assert accept(hospital.folder, PLAN.digest[:8], NOW) == PLAN.digest
    assert hospital.answer(question).fields == {"code": 0, "patients": 90, "own_ids": ["id-of-aden"]}
    assert take_back(hospital.folder, PLAN.digest[:8], NOW) == PLAN.digest
    assert "waits for this hospital's acceptance" in str(hospital.answer(question).refusal)
    with pytest.raises(Refusal, match="0 accepted plans"):
        take_back(hospital.folder, PLAN.digest[:8], NOW)
    outcomes = [json.loads(line)["outcome"] for line in (hospital.folder / "ledger.jsonl").read_text().splitlines()]
    assert [outcomes[1], outcomes[3]] == ["accepted", "acceptance taken back"]


def test_who_has_withdrawn_is_not_in_the_next_run(network: SmallNetwork, cohorts: dict[str, Cohort]) -> None:
    hospital = network.hospitals["aden"]
    hello = Question("r", "hello", 0, (), PLAN.to_dict())
    hospital.answer(hello)
    stayed = cohorts["aden"].chosen(np.arange(30))
    hospital._source = own_data("aden", stayed)
    assert hospital.answer(hello).fields["patients"] == 30


def test_the_ledger_tells_what_data_were_used_for(finished: tuple[SmallNetwork, Outcome]) -> None:
    network, _ = finished
    entries = [json.loads(line) for line in (network.folder / "aden" / "ledger.jsonl").read_text().splitlines()]
    assert {entry["step"] for entry in entries} >= {"counts", "regression", "grow", "judge"}
    assert all(entry["outcome"] == "answered" for entry in entries)
    assert all(entry["purpose"] and entry["patients"] == 90 for entry in entries)


def test_a_refusal_quotes_no_patient(network: SmallNetwork, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> HospitalData:
        raise ValueError("morning_litres_per_min holds 4711 in row 3")

    hospital = network.hospitals["aden"]
    hospital._source = broken
    reply = hospital.answer(Question("r", "hello", 0, (), PLAN.to_dict()))
    assert "4711" not in str(reply.refusal)
    assert "4711" in (hospital.folder / "ledger.jsonl").read_text()


def test_the_attack_finds_a_model_that_remembers_and_not_one_that_does_not() -> None:
    rng = np.random.default_rng(9)
    patient = np.repeat(np.arange(1000, dtype=np.int32), 30)
    label = rng.random(30_000) < 0.05
    member = patient < 500
    honest = rng.normal(-3.0, 0.5, 30_000)
    remembers = np.where(member, honest + np.where(label, 3.0, -0.3), honest)

    def found(logit: np.ndarray) -> float:
        losses = patient_losses(logit, label, patient)
        return attack_auroc(losses[:500], losses[500:])

    assert found(remembers) > 0.6
    assert abs(found(honest) - 0.5) < 0.1


def test_a_hospital_of_three_patients_stays_out(tmp_path: object, cohorts: dict[str, Cohort]) -> None:
    tiny = {**cohorts, "elva": made_up_cohort(seed=5, patients=3, days=60)}
    network = small_network(tmp_path, tiny)  # type: ignore[arg-type]
    reply = network.hospitals["elva"].answer(Question("r", "hello", 0, (), PLAN.to_dict()))
    assert reply.refusal == "3 patients; a run needs 5 or more at each hospital"
