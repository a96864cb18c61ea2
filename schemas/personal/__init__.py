"""How do we keep personal data unreadable on disk, and yet recognise the same value twice?

Pure functions: nothing here opens a connection. `normalise` says what "the same value" is,
`blind` makes it comparable without showing it, `seal` makes it unreadable without the subject's
key, `buffer` does so for a till that holds no key.
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
