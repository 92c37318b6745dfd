"""Encryption of what the journal keeps: AES-256-GCM (NIST SP 800-38D) under a key from the platform's key store."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class SealBroken(Exception):
    """The stored bytes were not written under this key, or were changed."""


class Seal:
    """Seals and opens small byte strings with one 256-bit key."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def close(self, plain: bytes) -> bytes:
        """Encrypts; the random nonce stands in front."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, None)

    def open(self, sealed: bytes) -> bytes:
        """Decrypts. Raises SealBroken on a wrong key or changed bytes."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
        except InvalidTag as error:
            raise SealBroken("this diary was sealed with another key") from error


def new_key() -> bytes:
    """A fresh 256-bit key."""
    return AESGCM.generate_key(bit_length=256)
