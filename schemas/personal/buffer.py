"""Encrypts events on a till's disk so that only the gateway can decrypt them.

Sealed boxes (X25519, XSalsa20-Poly1305) use a new sender key for every event, so that the till
itself cannot decrypt them.
"""

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from schemas.personal.seal import Unsealable

KEY_BYTES = 32


class Box:
    """Encrypts for the gateway, with its public key; ValueError unless that has 32 bytes."""

    __slots__ = ("_box", "public_key")

    def __init__(self, public_key: bytes) -> None:
        _expect_key(public_key, "the gateway's public key")
        self.public_key = public_key
        self._box = SealedBox(PublicKey(public_key))

    def seal(self, clear: bytes) -> bytes:
        """The encrypted bytes."""
        return bytes(self._box.encrypt(clear))


def open_box(private_key: bytes, sealed: bytes) -> bytes:
    """Decrypts what a `Box` encrypted; raises Unsealable if it was for another key, or changed."""
    _expect_key(private_key, "the gateway's private key")
    try:
        return bytes(SealedBox(PrivateKey(private_key)).decrypt(sealed))
    except (CryptoError, ValueError, TypeError):
        raise Unsealable("not encrypted with this gateway's public key") from None


def public_key_of(private_key: bytes) -> bytes:
    """The public key that belongs to the gateway's private key."""
    _expect_key(private_key, "the gateway's private key")
    return bytes(PrivateKey(private_key).public_key)


def _expect_key(key: bytes, what: str) -> None:
    if len(key) != KEY_BYTES:
        raise ValueError(f"{what} must have {KEY_BYTES} bytes, not {len(key)}")
