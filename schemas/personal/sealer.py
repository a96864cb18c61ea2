"""Seals and unseals the fields of an event with the keys of its subjects."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from schemas.personal.identifier_index import blind_index
from schemas.personal.normalise import normalise
from schemas.personal.seal import seal_with, unseal_with
from schemas.rejection import ERASED as ERASED


class SubjectSealer:
    """Seals values and makes blind indexes. A subject without a key was erased."""

    __slots__ = ("_blind_key", "_ciphers")

    def __init__(self, keys: Mapping[bytes, bytes], blind_key: bytes) -> None:
        self._ciphers = _Ciphers(keys)
        self._blind_key = blind_key

    def seal(self, event_id: bytes, subject: bytes, field: str, kind: str, clear: str) -> bytes:
        """Seals the value as written (not its normal form); `kind` says how to validate it, e.g.
        "email".
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
        """The blind index of the value's normal form; ValueError when it has no normal form."""
        return blind_index(self._blind_key, kind, normalise(kind, clear))


class Unsealer:
    """Decrypts values that a `SubjectSealer` wrote."""

    __slots__ = ("_ciphers",)

    def __init__(self, keys: Mapping[bytes, bytes]) -> None:
        self._ciphers = _Ciphers(keys)

    def unseal(self, event_id: bytes, subject: bytes, field: str, sealed: bytes) -> str | None:
        """The clear text; None when the subject was erased. Raises Unsealable when the bytes were
        changed.
        """
        cipher = self._ciphers.of(subject)
        return None if cipher is None else unseal_with(cipher, event_id, field, subject, sealed)


class _Ciphers:
    """Caches one cipher per subject: creating one costs more than sealing a short text."""

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
