"""Secure sums: each hospital adds masks that it shares with each other one, and that cancel in the sum of all.

Every pair derives a key from its X25519 keys by HKDF, for this step, this question and these participants alone; the
key drives a ChaCha20 stream of integers, which one of the pair adds and the other subtracts, modulo 2^64. Numbers are
fixed-point with 24 binary places. The coordinator sees uniformly random integers until the last hospital's have
arrived, and then the sum. If one does not answer, the step is asked again without it, under new masks.

This guards against a coordinator that follows the protocol and looks at what it gets, alone or together with all
hospitals but two. Each hospital knows the others' public keys from its roster, so the coordinator cannot pose as one.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
UInt64 = NDArray[np.uint64]

BINARY_PLACES = 24
# The sum over all hospitals must stay inside a signed 64-bit integer.
LARGEST_NUMBER = 2.0 ** (62 - BINARY_PLACES) / 1000
Arrays = Mapping[str, Float64]


class NotMasked(ValueError):
    """These numbers or participants cannot be masked; the message says why."""


def context_of(run: str, step: str, attempt: int, participants: Sequence[str], question: str) -> bytes:
    """What a mask belongs to; the same question to other participants gets other masks."""
    parts = [run, step, attempt, sorted(participants), question]
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def flat(arrays: Arrays) -> Float64:
    """All arrays behind one another, by name."""
    parts = [np.asarray(arrays[name], dtype=np.float64).ravel() for name in sorted(arrays)]
    return np.concatenate(parts) if parts else np.zeros(0)


def unflat(vector: Float64, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Float64]:
    """The inverse of `flat`. ValueError for another length."""
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    if len(vector) != sum(sizes.values()):
        raise ValueError(f"{len(vector)} numbers came where {sum(sizes.values())} belong")
    arrays, start = {}, 0
    for name in sorted(shapes):
        arrays[name] = vector[start : start + sizes[name]].reshape(shapes[name])
        start += sizes[name]
    return arrays


def fixed_point(vector: Float64) -> UInt64:
    """Numbers as integers modulo 2^64. NotMasked beyond `LARGEST_NUMBER` or not finite."""
    if not np.isfinite(vector).all() or (len(vector) and np.abs(vector).max() > LARGEST_NUMBER):
        raise NotMasked(f"a number is not finite or beyond {LARGEST_NUMBER:g}")
    whole: UInt64 = np.round(vector * 2.0**BINARY_PLACES).astype(np.int64).view(np.uint64)
    return whole


def from_fixed_point(whole: UInt64) -> Float64:
    """The inverse, for a sum below 2^39."""
    return whole.view(np.int64).astype(np.float64) / 2.0**BINARY_PLACES


def _stream(private: X25519PrivateKey, public: X25519PublicKey, context: bytes, length: int) -> UInt64:
    key = HKDF(SHA256(), 32, salt=context, info=b"soom pairwise mask").derive(private.exchange(public))
    # Each key serves one message, so the nonce may be constant.
    encryptor = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    return np.frombuffer(encryptor.update(bytes(8 * length)), dtype="<u8").astype(np.uint64)


def masked(
    vector: Float64,
    own_name: str,
    private: X25519PrivateKey,
    public_keys: Mapping[str, X25519PublicKey],
    participants: Sequence[str],
    context: bytes,
) -> UInt64:
    """The vector under the masks shared with every other participant. NotMasked where one is not in the roster."""
    total = fixed_point(vector)
    for other in sorted(set(participants) - {own_name}):
        if other not in public_keys:
            raise NotMasked(f"{other} is not in this hospital's roster")
        stream = _stream(private, public_keys[other], context, len(vector))
        total = total + stream if own_name < other else total - stream
    return total


def unmasked_sum(vectors: Sequence[UInt64]) -> Float64:
    """The sum over all participants; noise where one is missing."""
    total = np.zeros_like(vectors[0])
    for vector in vectors:
        total = total + vector
    return from_fixed_point(total)
