import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.federated.masking import LARGEST_NUMBER, NotMasked, context_of, flat, masked, unflat, unmasked_sum

NAMES = ("aden", "brno", "cork")
PRIVATE = {name: X25519PrivateKey.generate() for name in NAMES}
PUBLIC = {name: key.public_key() for name, key in PRIVATE.items()}
CONTEXT = context_of("run", "counts", 0, NAMES, "question")


def masked_by(name: str, vector: np.ndarray, context: bytes = CONTEXT) -> np.ndarray:
    return masked(vector, name, PRIVATE[name], PUBLIC, NAMES, context)


@given(arrays(np.float64, (3, 4), elements=st.floats(-1e8, 1e8)))
def test_masks_cancel_in_the_sum_of_all(vectors: np.ndarray) -> None:
    total = unmasked_sum([masked_by(name, vector) for name, vector in zip(NAMES, vectors, strict=True)])
    assert np.abs(total - vectors.sum(axis=0)).max() <= 3 * 2.0**-24


def test_one_hospitals_message_says_nothing_of_its_numbers() -> None:
    zeros, large = (masked_by("aden", np.full(4000, value)) for value in (0.0, 1e6))
    for message in (zeros, large):
        bits = np.unpackbits(message.view(np.uint8))
        assert abs(bits.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(zeros.astype(float), np.arange(4000))[0, 1]) < 0.06


def test_a_sum_with_one_hospital_missing_is_noise() -> None:
    partial = unmasked_sum([masked_by(name, np.ones(100)) for name in NAMES[:2]])
    assert np.abs(partial).min() > 100


def test_another_question_or_attempt_gets_other_masks() -> None:
    first = masked_by("aden", np.zeros(8))
    again = masked_by("aden", np.zeros(8), context_of("run", "counts", 1, NAMES, "question"))
    other = masked_by("aden", np.zeros(8), context_of("run", "counts", 0, NAMES, "another question"))
    assert not (first == again).any()
    assert not (first == other).any()


def test_a_participant_outside_the_roster_is_refused() -> None:
    with pytest.raises(NotMasked, match="zagreb is not in this hospital's roster"):
        masked(np.zeros(2), "aden", PRIVATE["aden"], PUBLIC, ("aden", "zagreb"), CONTEXT)


@pytest.mark.parametrize("value", [np.nan, np.inf, LARGEST_NUMBER * 2])
def test_numbers_that_do_not_fit_are_refused(value: float) -> None:
    with pytest.raises(NotMasked):
        masked_by("aden", np.array([value]))


def test_arrays_come_back_from_one_vector() -> None:
    stored = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([9.0])}
    back = unflat(flat(stored), {"a": (1,), "b": (2, 3)})
    assert all(np.array_equal(back[name], stored[name]) for name in stored)
    with pytest.raises(ValueError, match="7 numbers"):
        unflat(flat(stored), {"a": (1,)})
