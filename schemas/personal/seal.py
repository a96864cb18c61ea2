"""Encrypts personal values with the key of their subject, deterministically within an event.

AES-256-GCM-SIV with a nonce derived from event id and field, so that a resend has identical bytes.
If the same event id and field come with two values, only the fact that they differ is revealed.
"""

from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class Unsealable(Exception):
    """The bytes cannot be decrypted with this key for this event, field and subject."""


def seal(key: bytes, event_id: bytes, field: str, subject: bytes, clear: str) -> bytes:
    """Encrypts a text with the subject's key; ValueError if it is not valid Unicode."""
    return seal_with(AESGCMSIV(key), event_id, field, subject, clear)


def unseal(key: bytes, event_id: bytes, field: str, subject: bytes, sealed: bytes) -> str:
    """Decrypts what `seal` returned for the same arguments; raises Unsealable if it cannot."""
    return unseal_with(AESGCMSIV(key), event_id, field, subject, sealed)


def seal_with(cipher: AESGCMSIV, event_id: bytes, field: str, subject: bytes, clear: str) -> bytes:
    """As `seal`, with a cipher object that is reused for several fields of a subject."""
    try:
        text = clear.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid text") from None
    return _VERSION + cipher.encrypt(_nonce(event_id, field), text, _bound_to(subject, field))


def unseal_with(
    cipher: AESGCMSIV, event_id: bytes, field: str, subject: bytes, sealed: bytes
) -> str:
    """As `unseal`, with a cipher object that is reused for several fields of a subject."""
    if len(sealed) < len(_VERSION) + _TAG_BYTES:
        raise Unsealable("too short to be sealed")
    if sealed[:1] != _VERSION:
        raise Unsealable("sealed in a format that this version does not support")
    try:
        clear = cipher.decrypt(_nonce(event_id, field), sealed[1:], _bound_to(subject, field))
    except InvalidTag:
        raise Unsealable("not sealed with this key for this event, field and subject") from None
    return clear.decode()


def _nonce(event_id: bytes, field: str) -> bytes:
    return blake2b(event_id + field.encode(), digest_size=_NONCE_BYTES).digest()


def _bound_to(subject: bytes, field: str) -> bytes:
    return subject + field.encode()
