"""The runs: undisturbed, killed, and the bugs that must be found."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.scenario import Scenario

UNDISTURBED = Scenario("undisturbed", events=300_000, seed=3)
KILLED = Scenario("killed", events=300_000, kills=8, rate=3_000, seed=4)
CONTROLS = (
    Scenario(
        "control: offsets in Kafka", events=60_000, kills=4, rate=1_500, seed=5,
        plant="kafka-offsets", patience=45,
    ),
    Scenario(
        "control: neither compared nor deduplicated", events=20_000, kills=1, rate=1_500, seed=6,
        plant="twice", patience=20,
    ),
)  # fmt: skip
SHORT_UNDISTURBED = replace(UNDISTURBED, events=30_000)
SHORT_KILLED = replace(KILLED, events=60_000, kills=4, rate=1_500)
