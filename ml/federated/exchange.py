"""Asking all hospitals one thing, come what may: who is there, who is lost, whose answer is no answer.

A sum is complete or it is noise. When a hospital does not answer a step, the step is asked again without it, under new
masks. When every hospital answered and the total is impossible, hospitals are left out one at a time until it is not.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Message
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from numpy.typing import NDArray

from ml.federated.masking import unflat, unmasked_sum
from ml.federated.messages import (
    AnyArray,
    MessageRefused,
    Question,
    Reply,
    question_to_records,
    reply_from_records,
)
from ml.federated.plan import FederationPlan

Float64 = NDArray[np.float64]
Say = Callable[[str], None]
Check = Callable[[Mapping[str, Float64]], None]
MESSAGE_TYPE = "query"
POLL_SECONDS = 0.2
MOST_IDS, LONGEST_ID = 100, 100
GONE = "no answer, for its node is gone"


class RunRefused(RuntimeError):
    """The run cannot come to a sound end; the message says why. What was gathered stays on disk."""


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """A step's outcome: sums over all who took part, and plain fields and texts by hospital."""

    sums: Mapping[str, Float64]
    fields: Mapping[str, Mapping[str, Any]]
    texts: Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class Members:
    """Who takes part: node and rounded patients by hospital; who left, and why; what else happened, in words.

    `own_ids` are those by which each hospital's own Soom knows it.
    """

    node: dict[str, int] = field(default_factory=dict)
    patients: dict[str, int] = field(default_factory=dict)
    code: dict[str, int] = field(default_factory=dict)
    own_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)

    @property
    def present(self) -> list[str]:
        return sorted(self.node)


class Exchange:
    """Puts questions through a Flower grid. `folder` keeps what was gathered, so that a killed run goes on from there.

    `step_seconds` is how long a hospital has for one step.
    """

    def __init__(self, grid: Grid, plan: FederationPlan, run: str, folder: Path, step_seconds: float, say: Say) -> None:
        self.grid, self.plan, self.run, self.folder, self.say = grid, plan, run, folder, say
        self.step_seconds = step_seconds
        self.members = Members()
        self._tried: set[int] = set()
        self._hellos: dict[str, int] = {}
        self._silent_before: set[str] = set()
        self._begun = False
        (folder / "steps").mkdir(parents=True, exist_ok=True)

    def begin(self, expected: int, wait_seconds: float) -> None:
        """Wait until `expected` hospitals have said hello, or for `wait_seconds`; RunRefused with too few then."""
        deadline = time.monotonic() + wait_seconds
        self._greet()
        while len(self.members.node) < expected and (time.monotonic() < deadline):
            time.sleep(POLL_SECONDS)
            self._greet()
        self._begun = True
        self._require_enough("hello")
        known = ", ".join(f"{name} ({self.members.patients[name]}+)" for name in self.members.present)
        self.say(f"{len(self.members.node)} hospitals: {known}")

    def ask(
        self,
        step: str,
        part: str = "",
        *,
        fields: Mapping[str, Any] | None = None,
        arrays: Mapping[str, AnyArray] | None = None,
        texts: Mapping[str, str] | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        check: Check = lambda _: None,
        accept: Callable[[str, Reply], None] = lambda _name, _reply: None,
    ) -> Gathered:
        """One step, or its outcome from disk. `shapes` are those of the sums; `check` raises ValueError on impossible
        totals, `accept` on an impossible reply of one hospital, who is then left out of the run.
        """
        name = f"{step}-{part}" if part else step
        kept = self._kept(name)
        if kept is not None:
            return kept
        self._greet()
        attempt = 0
        while True:
            self._require_enough(name)
            participants = self.members.present
            replies = self._round(step, attempt, participants, fields, arrays, texts, shapes, accept)
            if shapes and len(replies) < len(participants):
                attempt += 1
                continue
            self._require_enough(name)
            sums: Mapping[str, Float64] = self._total(replies, shapes) if shapes else {}
            try:
                check(sums)
            except ValueError as error:
                sums, replies, attempt = self._without_the_culprit(
                    name, step, attempt, str(error), fields, arrays, texts, shapes, check, accept
                )
            found = Gathered(
                sums,
                {hospital: reply.fields for hospital, reply in replies.items()},
                {hospital: reply.texts for hospital, reply in replies.items()},
            )
            self._keep(name, found)
            return found

    def _require_enough(self, step: str) -> None:
        if len(self.members.node) < self.plan.fewest_hospitals:
            lost = "; ".join(f"{name}: {why}" for name, why in sorted(self.members.lost.items()))
            raise RunRefused(
                f"{len(self.members.node)} hospitals at step {step}, the plan needs {self.plan.fewest_hospitals}"
                + (f" ({lost})" if lost else "")
            )

    def _round(
        self,
        step: str,
        attempt: int,
        participants: list[str],
        fields: Mapping[str, Any] | None,
        arrays: Mapping[str, AnyArray] | None,
        texts: Mapping[str, str] | None,
        shapes: Mapping[str, tuple[int, ...]] | None,
        accept: Callable[[str, Reply], None],
    ) -> dict[str, Reply]:
        question = Question(
            self.run, step, attempt, tuple(participants), self.plan.to_dict(), fields or {}, arrays or {}, texts or {}
        )
        node_of = {self.members.node[name]: name for name in participants}
        answers = self._put(question, node_of)
        replies: dict[str, Reply] = {}
        for node, name in sorted(node_of.items(), key=lambda item: item[1]):
            found = answers.get(node, f"no answer to {step} within {self.step_seconds:g} s")
            try:
                if isinstance(found, str):
                    raise MessageRefused(found)
                if found.hospital != name:
                    raise MessageRefused(f"answered as {found.hospital!r}")
                if found.refusal is not None:
                    raise MessageRefused(f"refused: {found.refusal}")
                if shapes:
                    self._vector(found, sum(int(np.prod(shape)) for shape in shapes.values()))
                accept(name, found)
                replies[name] = found
            except ValueError as error:
                self._lose(name, str(error))
        return replies

    def _put(self, question: Question, node_of: Mapping[int, str]) -> dict[int, Reply | str]:
        """Replies by node; a text says what came instead."""
        messages = [
            Message(
                content=question_to_records(question),
                dst_node_id=node,
                message_type=MESSAGE_TYPE,
                group_id=question.step,
                # Then it expires, and a late answer is refused: beside the sum without this hospital, which is asked
                # for next, it would show the hospital's own.
                ttl=self.step_seconds,
            )
            for node in node_of
        ]
        numbers = set(self.grid.push_messages(messages))
        deadline = time.monotonic() + self.step_seconds
        answers: dict[int, Reply | str] = {}
        while numbers:
            for message in self.grid.pull_messages(numbers):
                numbers.discard(message.metadata.reply_to_message_id)
                answers[message.metadata.src_node_id] = self._read(message)
            if not numbers or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        return answers

    @staticmethod
    def _read(message: Message) -> Reply | str:
        if message.has_error():
            if message.error.code == ErrorCode.NODE_UNAVAILABLE:
                return GONE
            return f"failed: {message.error.reason}"[:300]
        try:
            return reply_from_records(message.content)
        except MessageRefused as error:
            return str(error)[:300]

    def _vector(self, reply: Reply, length: int) -> AnyArray:
        name, kind = ("masked", np.uint64) if self.plan.privacy.masked else ("sums", np.float64)
        vector = reply.arrays.get(name)
        if set(reply.arrays) != {name} or vector is None or vector.dtype != kind or vector.shape != (length,):
            raise MessageRefused(f"sent no {length} {name} numbers")
        return vector

    def _total(self, replies: Mapping[str, Reply], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Float64]:
        length = sum(int(np.prod(shape)) for shape in shapes.values())
        vectors: list[Any] = [self._vector(replies[name], length) for name in sorted(replies)]
        total = unmasked_sum(vectors) if self.plan.privacy.masked else np.sum(vectors, axis=0)
        return unflat(total, shapes)

    def _without_the_culprit(
        self,
        name: str,
        step: str,
        attempt: int,
        why: str,
        fields: Mapping[str, Any] | None,
        arrays: Mapping[str, AnyArray] | None,
        texts: Mapping[str, str] | None,
        shapes: Mapping[str, tuple[int, ...]] | None,
        check: Check,
        accept: Callable[[str, Reply], None],
    ) -> tuple[Mapping[str, Float64], dict[str, Reply], int]:
        """The first total that is possible without one hospital. Totals that hold the culprit's noise show nobody's
        data, and the first that does not is the only one seen, so leaving out gives no difference to look at.
        """
        present = self.members.present
        if shapes and len(present) > self.plan.fewest_hospitals:
            self.say(f"{name}: impossible total ({why}); looking for the hospital that sent it")
            for number, suspect in enumerate(present):
                rest = [other for other in present if other != suspect]
                replies = self._round(step, attempt + 1 + number, rest, fields, arrays, texts, shapes, accept)
                if len(replies) < len(rest):
                    continue
                sums = self._total(replies, shapes)
                try:
                    check(sums)
                except ValueError:
                    continue
                self._lose(suspect, f"sent impossible numbers in {name}")
                return sums, replies, attempt + 1 + number
        raise RunRefused(f"{name}: the total over the hospitals is impossible ({why})")

    def _lose(self, name: str, why: str) -> None:
        node = self.members.node.pop(name, None)
        self.members.lost[name] = why
        self._note(f"{name} left the run: {why}")
        if node is not None and "no answer" in why and name not in self._silent_before:
            # It may come back, once, under the same node id; whoever refused or sent garbage may not.
            self._silent_before.add(name)
            self._tried.discard(node)

    def _note(self, event: str) -> None:
        self.members.events.append(event)
        self.say(event)

    def _greet(self) -> None:
        """Say hello to nodes not yet known, without waiting for those that are silent, and take up who answered."""
        nodes = list(self.grid.get_node_ids())
        fresh = [node for node in nodes if node not in self._tried]
        if fresh:
            question = Question(self.run, "hello", 0, (), self.plan.to_dict())
            messages = [
                Message(
                    content=question_to_records(question),
                    dst_node_id=node,
                    message_type=MESSAGE_TYPE,
                    group_id="hello",
                )
                for node in fresh
            ]
            for node, number in zip(fresh, self.grid.push_messages(messages), strict=True):
                self._hellos[number] = node
                self._tried.add(node)
        if self._hellos:
            replies: Iterable[Message] = self.grid.pull_messages(set(self._hellos))
            for message in sorted(replies, key=lambda message: message.metadata.src_node_id):
                node = self._hellos.pop(message.metadata.reply_to_message_id)
                reply = self._read(message)
                if reply == GONE:
                    # The SuperLink lists a node for a minute after its end. It is greeted again when it is back.
                    self._tried.discard(node)
                else:
                    self._welcome(node, reply, set(nodes))

    def _welcome(self, node: int, reply: Reply | str, nodes: set[int]) -> None:
        if isinstance(reply, str) or reply.refusal is not None:
            why = reply if isinstance(reply, str) else f"{reply.hospital}: {reply.refusal}"
            self._note(f"a node does not take part: {why}")
            return
        name, members = reply.hospital, self.members
        try:
            code, patients = int(reply.fields["code"]), int(reply.fields["patients"])
            own_ids = _ids(reply.fields.get("own_ids", []))
        except (KeyError, TypeError, ValueError):
            self._note(f"{name} does not take part: its hello does not say who it is and of what size")
            return
        if name in members.node and members.node[name] != node and members.node[name] in nodes:
            self._note(f"{name} is registered twice; its second node is not asked")
        elif code in members.code.values() and members.code.get(name) != code:
            self._note(f"{name} does not take part: its code {code} belongs to another hospital")
        elif any(set(own_ids) & set(ids) for other, ids in members.own_ids.items() if other != name):
            self._note(f"{name} does not take part: its patients are another hospital's")
        elif self._begun and name not in members.patients:
            self._note(f"{name} came late and takes part from the next run on")
        elif name in members.lost and "no answer" not in members.lost[name]:
            self._note(f"{name} is not taken back in this run: {members.lost[name]}")
        else:
            if name in members.lost:
                del members.lost[name]
                self._note(f"{name} is back")
            members.node[name], members.patients[name], members.code[name] = node, patients, code
            members.own_ids[name] = own_ids

    def _keep(self, name: str, found: Gathered) -> None:
        facts = {"fields": dict(found.fields), "texts": {who: dict(texts) for who, texts in found.texts.items()}}
        base = self.folder / "steps" / name
        np.savez(base.with_suffix(".npz"), **dict(found.sums))  # type: ignore[arg-type]
        temporary = base.with_suffix(".tmp")
        temporary.write_text(json.dumps(facts), encoding="utf-8")
        # The JSON file comes last and at once: a step without it has not happened.
        temporary.replace(base.with_suffix(".json"))

    def _kept(self, name: str) -> Gathered | None:
        file = self.folder / "steps" / f"{name}.json"
        if not file.exists():
            return None
        facts = json.loads(file.read_text(encoding="utf-8"))
        with np.load(file.with_suffix(".npz"), allow_pickle=False) as stored:
            return Gathered({key: stored[key] for key in stored.files}, facts["fields"], facts["texts"])


def _ids(sent: Any) -> tuple[str, ...]:
    """ValueError for anything else than a few short texts."""
    if not isinstance(sent, list) or len(sent) > MOST_IDS or not all(isinstance(one, str) for one in sent):
        raise ValueError("ids must be texts")
    if any(not 1 <= len(one) <= LONGEST_ID for one in sent):
        raise ValueError("an id is empty or too long")
    return tuple(sent)
