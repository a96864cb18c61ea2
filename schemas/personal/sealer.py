"""Encrypts and decrypts the personal fields of events with the keys of their subjects."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from schemas.personal.identifier_index import blind_index
from schemas.personal.normalise import normalise
from schemas.personal.seal import seal_with, unseal_with
from schemas.rejection import ERASED as ERASED


class SubjectSealer:
    """Encrypts values and computes blind indexes.

    `keys`: by subject id; a subject without a key counts as erased.
    """

    __slots__ = ("_blind_key", "_ciphers")

    def __init__(self, keys: Mapping[bytes, bytes], blind_key: bytes) -> None:
        self._ciphers = _Ciphers(keys)
        self._blind_key = blind_key

    def seal(self, event_id: bytes, subject: bytes, field: str, kind: str, clear: str) -> bytes:
        """Encrypts the value as written, not in normal form; a "birth_date" is validated first.

        Raises ValueError if the value is empty or invalid, or the subject was erased.
        """
        if not clear:
            raise ValueError("is empty")
        if kind == "birth_date":
            normalise(kind, clear)
        cipher = self._ciphers.of(subject)
        if cipher is None:
            raise ValueError(ERASED)
        return seal_with(cipher, event_id, field, subject, clear)

    def index(self, kind: str, clear: str) -> bytes:
        """The blind index of the value's normal form; ValueError if the value is malformed."""
        return blind_index(self._blind_key, kind, normalise(kind, clear))


class Unsealer:
    """Decrypts values that a `SubjectSealer` encrypted. `keys`: by subject id."""

    __slots__ = ("_ciphers",)

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self._ciphers = _Ciphers(keys)

    def unseal(self, event_id: bytes, subject: bytes, field: str, sealed: bytes) -> str | None:
        """The decrypted text; None if there is no key of the subject (erased).

        Raises Unsealable if the bytes cannot be decrypted with that key.
        """
        cipher = self._ciphers.of(subject)
        return None if cipher is None else unseal_with(cipher, event_id, field, subject, sealed)


class _Ciphers:
    """Caches a cipher per subject: creating a cipher costs more than encrypting a short text."""

    __slots__ = ("_keys", "_ready")

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self._keys = keys
        self._ready: dict[bytes, AESGCMSIV] = {}

    def of(self, subject: bytes) -> AESGCMSIV | None:
        cipher = self._ready.get(subject)
        if cipher is None:
            key = self._keys.get(subject)
            if key is None:
                return None
            cipher = self._ready[subject] = AESGCMSIV(key)
        return cipher
