"""A model of some people, estimated once for all tests."""

from __future__ import annotations

import pytest

from services.identity.matching import Features, MatchModel
from services.identity.matching.estimate import estimate
from tests.services.identity.matching.people import as_features, people


@pytest.fixture(scope="session")
def everybody() -> list[Features]:
    return as_features(people(households=130, seed=3))


@pytest.fixture(scope="session")
def model(everybody: list[Features]) -> MatchModel:
    return estimate(everybody)
