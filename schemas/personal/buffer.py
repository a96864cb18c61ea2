"""Encrypts events on a till's disk so that only the gateway can read them.

Sealed boxes (X25519, XSalsa20-Poly1305) with a fresh sender key each: the till cannot decrypt what
it wrote.
"""

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from schemas.personal.seal import Unsealable

KEY_BYTES = 32


class Box:
    """Seals to the holder of the private key that belongs to `public_key`."""

    __slots__ = ("_box", "public_key")

    def __init__(self, public_key: bytes) -> None:
        _expect_key(public_key, "the gateway's public key")
        self.public_key = public_key
        self._box = SealedBox(PublicKey(public_key))

    def seal(self, clear: bytes) -> bytes:
        return bytes(self._box.encrypt(clear))


def open_box(private_key: bytes, sealed: bytes) -> bytes:
    _expect_key(private_key, "the gateway's private key")
    try:
        return bytes(SealedBox(PrivateKey(private_key)).decrypt(sealed))
    except (CryptoError, ValueError, TypeError):
        raise Unsealable("not sealed to this gateway's key") from None


def public_key_of(private_key: bytes) -> bytes:
    _expect_key(private_key, "the gateway's private key")
    return bytes(PrivateKey(private_key).public_key)


def _expect_key(key: bytes, what: str) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"{what} must have {KEY_BYTES} bytes, not {len(key)}")
