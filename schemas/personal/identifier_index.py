"""Blind index: a keyed hash by which equal values are found without revealing the values."""

import hmac

from schemas.personal.normalise import NORMALISER_VERSION

INDEX_BYTES = 16


def blind_index(key: bytes, kind: str, normalised: str) -> bytes:
    """HMAC of kind and normalised value, 16 bytes; without the key nobody can test guesses."""
    message = b"\0".join((kind.encode(), str(NORMALISER_VERSION).encode(), normalised.encode()))
    return hmac.digest(key, message, "sha256")[:INDEX_BYTES]
