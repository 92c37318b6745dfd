"""What may go wrong at a hospital: silence, failure, and answers that are poison."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from flwr.app import Message

from ml.federated.memory_grid import MemoryGrid, Node
from ml.federated.messages import Reply, question_from_records, reply_from_records, reply_to_records


def step_of(message: Message) -> str:
    return question_from_records(message.content).step


def disturbed(grid: MemoryGrid, node: int, step: str, instead: Callable[[Message, Node], Message | None]) -> None:
    """From now on the node answers `step` with what `instead` makes of it."""
    honest = grid.nodes[node]

    def answer(message: Message) -> Message | None:
        return instead(message, honest) if step_of(message) == step else honest(message)

    grid.nodes[node] = answer


def forged(change: Callable[[Reply], Reply]) -> Callable[[Message, Node], Message | None]:
    def answer(message: Message, honest: Node) -> Message | None:
        reply = honest(message)
        assert reply is not None
        return Message(reply_to_records(change(reply_from_records(reply.content))), reply_to=message)

    return answer


def huge_leaves(reply: Reply) -> Reply:
    texts = {
        name: "\n".join(
            line + "\nleaf_value=" + " ".join(["9e9"] * (1 + len(line.split())))
            if line.startswith("right_child=")
            else line
            for line in text.split("\n")
        )
        for name, text in reply.texts.items()
    }
    return replace(reply, texts=texts)


def malformed_text(reply: Reply) -> Reply:
    return replace(reply, texts=dict.fromkeys(reply.texts, "tree\nversion=v4\nthreshold=np.float64(0.1)\n"))


def garbage(reply: Reply) -> Reply:
    noise = np.random.default_rng(1).integers(0, 2**63, reply.arrays["masked"].shape, dtype=np.uint64)
    return replace(reply, arrays={"masked": noise})


def far_thresholds(reply: Reply) -> Reply:
    """Every first split moved to where almost nobody's values lie: the far end of what all hospitals know."""
    texts = {}
    for name, text in reply.texts.items():
        lines = text.split("\n")
        for number, line in enumerate(lines):
            if line.startswith("threshold="):
                lines[number] = "threshold=" + " ".join(["-1e+300", *line.removeprefix("threshold=").split(" ")[1:]])
        texts[name] = "\n".join(lines)
    return replace(reply, texts=texts)
