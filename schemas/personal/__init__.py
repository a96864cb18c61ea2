"""Encryption of personal data, and keyed hashes by which equal values are found.

Pure functions: nothing here opens a connection. `normalise` defines when two values are equal,
`identifier_index` makes a keyed hash of a value (blind index), `seal` encrypts with the subject's
key, `buffer` encrypts for a till that holds no key.
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
