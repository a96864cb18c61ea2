"""Record linkage in memory: features, a probabilistic model, and a candidate index.

Pure functions: nothing here opens a connection. `features` defines what is compared, `estimate`
learns the weights of agreements from the data, `CandidateIndex` finds profiles that may be the
same.
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
