"""Encryption of personal data, and keyed hashes (blind indexes) by which equal values are found.

Pure functions without I/O. `normalise` defines when two values are equal, `identifier_index` hashes
a value with a key, `seal` encrypts with the subject's key, `buffer` encrypts events on a till that
has no subject keys.
"""

from schemas.personal.buffer import Box, open_box
from schemas.personal.identifier_index import blind_index
from schemas.personal.normalise import NORMALISER_VERSION, normalise
from schemas.personal.seal import Unsealable, seal, unseal
from schemas.personal.sealer import ERASED, SubjectSealer, Unsealer

__all__ = [
    "ERASED",
    "NORMALISER_VERSION",
    "Box",
    "SubjectSealer",
    "Unsealable",
    "Unsealer",
    "blind_index",
    "normalise",
    "open_box",
    "seal",
    "unseal",
]
