"""Two matchers at once, both killed at random: the same links and cases as all in one go."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.services.identity.oracle import expected, found
from tests.services.identity.people import Crowd
from tests.services.identity.town import Town, town
from tests.services.identity.weighing import model

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]
SEED = int(os.environ.get("HITOTSU_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
KILLS = int(os.environ.get("HITOTSU_KILLS", "12"))
PEOPLE, PARTS = 150, 12


def test_links_and_cases_are_those_of_all_in_one_go(tmp_path: Path) -> None:
    with town(tmp_path, desks=2) as place:
        disturb(place, SEED)
        wanted, have = expected(place, model()), found(place, "first")
        assert len(wanted.links) > 20 and len(wanted.cases) > 20
        assert have.links ^ wanted.links == set()
        assert have.cases ^ wanted.cases == set()
        assert place.road.sql("select topic, stage, reason from dead_letter") == []


@pytest.mark.long
@pytest.mark.parametrize("bug", ["own_offsets"])
def test_a_planted_bug_is_seen(tmp_path: Path, bug: str) -> None:
    with town(tmp_path, desks=2, planted=bug) as place:
        disturb(place, SEED)
        assert found(place, "first") != expected(place, model())


def disturb(place: Town, seed: int) -> None:
    """Profiles arrive and change while both matchers die again and again."""
    sys.stdout.write(f"HITOTSU_SEED={seed} HITOTSU_KILLS={KILLS}\n")
    crowd = Crowd(seed, PEOPLE)
    killing = threading.Thread(target=kill, args=(place, random.Random(seed)))
    killing.start()
    try:
        place.tells(crowd.arrivals())
        for _ in range(PARTS):
            place.tells(crowd.changes(25))
            time.sleep(0.3)
    finally:
        killing.join()
    place.settled(120)


def kill(place: Town, chance: random.Random) -> None:
    """SIGKILL to one of the two, by its pid, and it comes back a moment later."""
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 2.0))
        desk = chance.choice(place.desks)
        desk.kill()
        time.sleep(chance.uniform(0.0, 1.0))
        desk.start()
