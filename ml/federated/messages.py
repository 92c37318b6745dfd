"""What the coordinator asks and a hospital answers, and how both travel as a record of Flower's Message API.

Everything lies in one record: Flower sends each array of an `ArrayRecord` by several requests of its own, and a
question has up to a hundred.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, RecordDict
from numpy.typing import NDArray

PROTOCOL = 3
LARGEST_TEXT = 64 * 1024 * 1024
# Numbers of 64 bits: sums, and sums under masks.
KINDS = ("<f8", "<u8")
AnyArray = NDArray[np.generic]


class MessageRefused(ValueError):
    """The message is not one of this protocol; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One step, put to every participant. `fields` is JSON, `texts` are sets of trees or model files by name."""

    run: str
    step: str
    attempt: int
    participants: tuple[str, ...]
    plan: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of what is asked: masks belong to one question."""
        parts = hashlib.sha256(json.dumps([dict(self.plan), dict(self.fields)], sort_keys=True).encode())
        for name in sorted(self.arrays):
            parts.update(name.encode() + np.ascontiguousarray(self.arrays[name]).tobytes())
        for name in sorted(self.texts):
            parts.update(name.encode() + self.texts[name].encode())
        return parts.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """A hospital's answer: `arrays` holds "masked" or plain sums, `refusal` why there is no answer."""

    hospital: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, AnyArray] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    refusal: str | None = None


def _packed(facts: Mapping[str, Any], arrays: Mapping[str, AnyArray], texts: Mapping[str, str]) -> RecordDict:
    shapes = {name: [values.dtype.str, list(values.shape)] for name, values in arrays.items()}
    numbers = b"".join(np.ascontiguousarray(values).tobytes() for values in arrays.values())
    head = {"facts": facts, "arrays": shapes, "texts": list(texts)}
    record: dict[str, Any] = {"protocol": PROTOCOL, "head": json.dumps(head), "numbers": numbers}
    record["texts"] = [zlib.compress(text.encode(), 6) for text in texts.values()]
    return RecordDict({"message": ConfigRecord(record)})


def _unpacked(records: RecordDict) -> tuple[dict[str, Any], dict[str, AnyArray], dict[str, str]]:
    try:
        record: Any = records["message"]
        if not isinstance(record, ConfigRecord):
            raise MessageRefused("the record of the message is of the wrong kind")
        if record["protocol"] != PROTOCOL:
            raise MessageRefused(f"protocol {record['protocol']!r}; this version speaks {PROTOCOL}")
        head: Any = json.loads(str(record["head"]))
        facts = head["facts"]
        texts: dict[str, str] = {}
        packed_texts: Any = record["texts"]
        for name, packed in zip(head["texts"], packed_texts, strict=True):
            unpacker = zlib.decompressobj()
            texts[str(name)] = unpacker.decompress(bytes(packed), LARGEST_TEXT).decode()
            if unpacker.unconsumed_tail:
                raise MessageRefused(f"{name} is longer than {LARGEST_TEXT} characters")
        numbers: Any = record["numbers"]
        arrays = _arrays(head["arrays"], bytes(numbers))
    except MessageRefused:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, zlib.error) as error:
        raise MessageRefused(f"not a message of this protocol: {error!r}") from error
    if not isinstance(facts, dict):
        raise MessageRefused("the facts of the message are not an object")
    return facts, arrays, texts


def _arrays(shapes: Mapping[str, Any], numbers: bytes) -> dict[str, AnyArray]:
    """The arrays that lie behind one another in `numbers`. ValueError where they do not fill it exactly."""
    arrays: dict[str, AnyArray] = {}
    start = 0
    for name, (kind, shape) in shapes.items():
        if kind not in KINDS or any(not isinstance(length, int) or length < 0 for length in shape):
            raise ValueError(f"{name} is an array of kind {kind!r} and shape {shape}")
        count = math.prod(shape)
        arrays[name] = np.frombuffer(numbers, dtype=kind, count=count, offset=start).reshape(shape)
        start += arrays[name].nbytes
    if start != len(numbers):
        raise ValueError(f"{len(numbers)} bytes of numbers where {start} belong")
    return arrays


def question_to_records(question: Question) -> RecordDict:
    """A question as a record."""
    facts = {
        "run": question.run,
        "step": question.step,
        "attempt": question.attempt,
        "participants": list(question.participants),
        "plan": dict(question.plan),
        "fields": dict(question.fields),
    }
    return _packed(facts, question.arrays, question.texts)


def question_from_records(records: RecordDict) -> Question:
    """The inverse. MessageRefused for anything else."""
    facts, arrays, texts = _unpacked(records)
    try:
        return Question(
            run=str(facts["run"]),
            step=str(facts["step"]),
            attempt=int(facts["attempt"]),
            participants=tuple(str(name) for name in facts["participants"]),
            plan=dict(facts["plan"]),
            fields=dict(facts["fields"]),
            arrays=arrays,
            texts=texts,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MessageRefused(f"not a question of this protocol: {error!r}") from error


def reply_to_records(reply: Reply) -> RecordDict:
    """A reply as a record."""
    facts = {"hospital": reply.hospital, "fields": dict(reply.fields), "refusal": reply.refusal}
    return _packed(facts, reply.arrays, reply.texts)


def reply_from_records(records: RecordDict) -> Reply:
    """The inverse. MessageRefused for anything else."""
    facts, arrays, texts = _unpacked(records)
    try:
        refusal = facts["refusal"]
        return Reply(
            hospital=str(facts["hospital"]),
            fields=dict(facts["fields"]),
            arrays=arrays,
            texts=texts,
            refusal=None if refusal is None else str(refusal)[:500],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MessageRefused(f"not a reply of this protocol: {error!r}") from error
