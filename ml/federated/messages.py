"""What the coordinator asks and a hospital answers, and how both travel as records of Flower's Message API."""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from numpy.typing import NDArray

PROTOCOL = 1
LARGEST_TEXT = 64 * 1024 * 1024
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
    compressed = {name: zlib.compress(text.encode(), 6) for name, text in texts.items()}
    return RecordDict(
        {
            "facts": ConfigRecord({"json": json.dumps(facts), "protocol": PROTOCOL}),
            "texts": ConfigRecord(dict(compressed)),
            "arrays": ArrayRecord({name: Array(np.ascontiguousarray(values)) for name, values in arrays.items()}),
        }
    )


def _unpacked(records: RecordDict) -> tuple[dict[str, Any], dict[str, AnyArray], dict[str, str]]:
    try:
        facts_record, texts_record, arrays_record = records["facts"], records["texts"], records["arrays"]
        if not (
            isinstance(facts_record, ConfigRecord)
            and isinstance(texts_record, ConfigRecord)
            and isinstance(arrays_record, ArrayRecord)
        ):
            raise MessageRefused("the records of the message are of the wrong kind")
        if facts_record["protocol"] != PROTOCOL:
            raise MessageRefused(f"protocol {facts_record['protocol']!r}; this version speaks {PROTOCOL}")
        facts = json.loads(str(facts_record["json"]))
        texts = {}
        for name, packed in texts_record.items():
            unpacker = zlib.decompressobj()
            texts[name] = unpacker.decompress(bytes(packed), LARGEST_TEXT).decode()  # type: ignore[arg-type]
            if unpacker.unconsumed_tail:
                raise MessageRefused(f"{name} is longer than {LARGEST_TEXT} characters")
        # Array.numpy reads with allow_pickle=False.
        arrays = {name: values.numpy() for name, values in arrays_record.items()}
    except MessageRefused:
        raise
    except (KeyError, ValueError, TypeError, zlib.error, EOFError, OSError) as error:
        raise MessageRefused(f"not a message of this protocol: {error!r}") from error
    if not isinstance(facts, dict):
        raise MessageRefused("the facts of the message are not an object")
    return facts, arrays, texts


def question_to_records(question: Question) -> RecordDict:
    """A question as records."""
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
    """A reply as records."""
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
