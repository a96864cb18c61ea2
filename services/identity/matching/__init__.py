"""Are two profiles one person? Features, a model of what agreements say, and who is known.

Pure functions and memory: nothing here opens a connection. `features` says what is compared,
`estimate` learns from the log what an agreement is worth, `Known` finds who may be the same.
"""

from services.identity.matching.candidates import Candidate, CandidateIndex
from services.identity.matching.features import Features, Person, features
from services.identity.matching.model import MatchModel
from services.identity.matching.weights import FieldEvidence

__all__ = [
    "Candidate",
    "CandidateIndex",
    "Features",
    "FieldEvidence",
    "MatchModel",
    "Person",
    "features",
]
