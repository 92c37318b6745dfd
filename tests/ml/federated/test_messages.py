"""What travels between coordinator and hospitals, and what is not read as a message."""

import json
import zlib
from typing import Any

import numpy as np
import pytest
from flwr.app import ConfigRecord, RecordDict

from ml.federated.messages import (
    MessageRefused,
    Question,
    Reply,
    question_from_records,
    question_to_records,
    reply_from_records,
    reply_to_records,
)

SUMS = np.array([[0.1, -2.0], [np.nan, 1e300]])
MASKED = np.array([2**64 - 1, 7], dtype=np.uint64)


def changed(**parts: Any) -> RecordDict:
    """A reply's record with some parts replaced."""
    record: Any = reply_to_records(Reply("aden", arrays={"sums": SUMS}))["message"]
    return RecordDict({"message": ConfigRecord(dict(record) | parts)})


def head(arrays: dict[str, Any]) -> str:
    facts: dict[str, Any] = {"hospital": "aden", "fields": {}, "refusal": None}
    return json.dumps({"facts": facts, "arrays": arrays, "texts": []})


def test_a_question_arrives_as_it_was_asked() -> None:
    asked = Question(
        "run", "grow", 2, ("aden", "brno"), {"seed": 1}, {"trees": 3}, {"edges": SUMS}, {"7/-1": "trees=0"}
    )
    found = question_from_records(question_to_records(asked))
    assert (found.run, found.step, found.attempt, found.participants) == ("run", "grow", 2, ("aden", "brno"))
    assert (found.plan, found.fields, found.texts) == (asked.plan, asked.fields, asked.texts)
    np.testing.assert_array_equal(found.arrays["edges"], SUMS)
    assert found.digest == asked.digest


def test_a_reply_arrives_as_it_was_sent() -> None:
    sent = Reply("aden", {"factor": 1.1}, {"masked": MASKED, "none": np.zeros((0, 3))}, {"a": "", "b": "æ" * 9})
    found = reply_from_records(reply_to_records(sent))
    assert (found.hospital, found.fields, found.texts, found.refusal) == ("aden", sent.fields, sent.texts, None)
    np.testing.assert_array_equal(found.arrays["masked"], MASKED)
    assert found.arrays["masked"].dtype == np.uint64
    assert found.arrays["none"].shape == (0, 3)


def test_a_message_is_one_record_however_many_arrays_it_has() -> None:
    records = reply_to_records(Reply("aden", arrays={str(number): SUMS for number in range(100)}))
    assert list(records) == ["message"]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        (RecordDict(), "not a message"),
        (changed(protocol=1), "protocol 1; this version speaks 3"),
        (changed(head="[]"), "not a message"),
        (changed(head=head({"sums": ["<f8", [5]]})), "not a message"),
        (changed(head=head({"sums": ["<f8", [3]]})), "where 24 belong"),
        (changed(head=head({"sums": ["<f8", [-4]]})), "shape"),
        (changed(head=head({"sums": ["|O", [4]]})), "kind"),
        (changed(texts=[b"not compressed"]), "not a message"),
        (changed(head=json.dumps({"facts": 1, "arrays": {}, "texts": []}), numbers=b""), "not an object"),
    ],
)
def test_what_is_no_message_is_refused(records: RecordDict, why: str) -> None:
    with pytest.raises(MessageRefused, match=why):
        reply_from_records(records)


def test_a_text_that_swells_beyond_reason_is_refused() -> None:
    bomb = zlib.compress(b"0" * (65 * 1024 * 1024), 9)
    facts = json.dumps({"facts": {}, "arrays": {}, "texts": ["trees"]})
    with pytest.raises(MessageRefused, match="trees is longer than"):
        reply_from_records(changed(head=facts, numbers=b"", texts=[bomb]))
