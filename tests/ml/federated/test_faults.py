"""Hospitals that are killed, late, registered twice or poisoned: a sound model, or a clear refusal."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from flwr.app import Error, Message
from flwr.common.constant import ErrorCode

from ml.federated.coordinator import Outcome
from ml.federated.exchange import RunRefused
from ml.federated.memory_grid import Node, hospital_node
from ml.training.fit import Cohort
from tests.ml.federated.disturbances import disturbed, forged, garbage, huge_leaves, malformed_text, step_of
from tests.ml.federated.networks import SmallNetwork, small_network


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory, cohorts: dict[str, Cohort]) -> tuple[SmallNetwork, Outcome]:
    """One run of twelve hospitals, of which nine come to grief, each in its own way, and one registers twice."""
    names = ("even", "fast", "gone", "huge", "idle", "junk", "lies", "mask", "skew", "twin", "vain", "void")
    many = {name: list(cohorts.values())[number % 2] for number, name in enumerate(names)}
    network = small_network(tmp_path_factory.mktemp("troubled"), many)
    grid = network.grid()
    node = network.node_id
    grid.nodes[999] = hospital_node(network.hospitals["twin"])
    disturbed(grid, node["gone"], "regression", lambda _message, _honest: None)
    disturbed(grid, node["idle"], "cells", fail)
    disturbed(grid, node["huge"], "grow", forged(huge_leaves))
    disturbed(grid, node["junk"], "grow", forged(malformed_text))
    disturbed(grid, node["vain"], "grow", forged(lambda reply: replace(reply, fields={"patients": 10**9})))
    disturbed(grid, node["lies"], "counts", forged(lambda reply: replace(reply, hospital="fast")))
    disturbed(grid, node["mask"], "counts", forged(garbage))
    disturbed(grid, node["skew"], "leaves", forged(garbage))
    disturbed(grid, node["void"], "counts", forged(lambda reply: replace(reply, arrays={"masked": np.zeros(3)})))
    return network, network.train(grid)


def fail(_message: Message, _honest: Node) -> Message | None:
    raise MemoryError("killed")


@pytest.mark.parametrize(
    ("hospital", "why"),
    [
        ("gone", "no answer to regression"),
        ("idle", "failed: MemoryError"),
        ("huge", "leaf values were sent"),
        ("junk", "is not a set of trees"),
        ("vain", "another number of patients"),
        ("lies", "answered as 'fast'"),
        ("mask", "sent impossible numbers in counts"),
        ("skew", "sent impossible numbers in leaves"),
        ("void", "sent no"),
    ],
)
def test_a_hospital_in_trouble_leaves_the_run_for_its_own_reason(
    troubled: tuple[SmallNetwork, Outcome], hospital: str, why: str
) -> None:
    _, outcome = troubled
    left = [event for event in outcome.events if event.startswith(f"{hospital} left the run")]
    # One that is silent is taken back once, and not again.
    assert len(left) == (2 if hospital == "gone" else 1)
    assert all(why in event for event in left)


def test_a_hospital_registered_twice_counts_once(troubled: tuple[SmallNetwork, Outcome]) -> None:
    _, outcome = troubled
    assert "twin is registered twice; its second node is not asked" in outcome.events
    assert outcome.model.card["data"]["hospitals"] == 12


def test_what_is_left_of_a_troubled_run_is_a_sound_model(troubled: tuple[SmallNetwork, Outcome]) -> None:
    _, outcome = troubled
    assert outcome.model.card["data"]["hospitals_at_the_end"] == 3
    assert outcome.model.card["held_out"]["7"]["auroc"] > 0.65


def test_a_hospital_that_comes_back_takes_part_again(network: SmallNetwork) -> None:
    grid = network.grid()
    cork = network.node_id["cork"]

    def gone(_message: Message, _honest: Node) -> Message | None:
        grid.nodes.pop(cork)
        grid.nodes[777] = hospital_node(network.hospitals["cork"])
        return None

    disturbed(grid, cork, "cells", gone)
    outcome = network.train(grid)
    assert "cork is back" in outcome.events
    assert outcome.model.card["data"]["hospitals_at_the_end"] == 4


def test_a_hospital_whose_node_is_gone_for_a_while_takes_part_again(network: SmallNetwork) -> None:
    """As a SuperLink tells it: for a node that is killed it answers itself, the next hello too."""
    grid = network.grid()
    cork = network.node_id["cork"]
    honest, silent = grid.nodes[cork], ["cells", "hello", "hello"]

    def gone(message: Message) -> Message | None:
        if silent and step_of(message) == silent[0]:
            silent.pop(0)
            return Message(Error(code=ErrorCode.NODE_UNAVAILABLE, reason="Node Unavailable"), reply_to=message)
        return honest(message)

    grid.nodes[cork] = gone
    outcome = network.train(grid)
    assert [event for event in outcome.events if "cork" in event or "a node" in event] == [
        "cork left the run: no answer, for its node is gone",
        "cork is back",
    ]
    assert outcome.model.card["data"]["hospitals_at_the_end"] == 4


def test_a_hospital_that_comes_late_waits_for_the_next_run(network: SmallNetwork) -> None:
    grid = network.grid()
    late = grid.nodes.pop(network.node_id["aden"])

    def arrive(message: Message, honest: Node) -> Message | None:
        grid.nodes[network.node_id["aden"]] = late
        return honest(message)

    disturbed(grid, network.node_id["brno"], "counts", arrive)
    federation = network.federation(grid, expected=3)
    federation.regressions()
    members = federation.exchange.members
    assert members.events == ["aden came late and takes part from the next run on"]
    assert set(members.patients) == {"brno", "cork", "dijon"}


def test_a_question_expires_when_the_coordinator_stops_waiting_for_its_answer(network: SmallNetwork) -> None:
    """A late answer would complete a sum that was meanwhile asked for again without the hospital."""
    grid = network.grid()
    lives: list[float] = []
    for node in network.node_id.values():
        honest = grid.nodes[node]

        def watched(message: Message, honest: Node = honest) -> Message | None:
            if step_of(message) != "hello":
                lives.append(message.metadata.ttl)
            return honest(message)

        grid.nodes[node] = watched
    federation = network.federation(grid)
    federation.regressions()
    assert len(lives) > 4 * 3
    assert max(lives) <= federation.patience.step_seconds


def test_too_few_hospitals_left_is_a_clear_refusal(network: SmallNetwork) -> None:
    grid = network.grid()
    for name in ("aden", "brno"):
        disturbed(grid, network.node_id[name], "cells", lambda _message, _honest: None)
    with pytest.raises(RunRefused, match=r"2 hospitals at step cells, the plan needs 3 \(aden: no answer"):
        network.train(grid)


def test_outcomes_that_mean_nothing_give_no_model(network: SmallNetwork) -> None:
    """Poison that looks like data: a coordinator cannot see it, but held-out patients can."""
    for hospital in network.hospitals.values():
        rng = np.random.default_rng(3)
        honest = hospital._rows_for

        def shuffled(plan: object, honest: Callable = honest, rng: np.random.Generator = rng) -> object:  # type: ignore[type-arg]
            rows = honest(plan)
            object.__setattr__(rows, "label", np.array([rng.permutation(label) for label in rows.label]))
            return rows

        hospital._rows_for = shuffled  # type: ignore[assignment, method-assign]
    with pytest.raises(RunRefused, match="no more than the base rate"):
        network.train()
