"""No pair falls between two processes, however they die, read ahead or take over. In memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import store
from services.identity.shards import (
    BEGINNING,
    SHARES,
    Positions,
    Shares,
    lowest,
    pair_of,
    same,
    share_of,
)
from tests.services.identity.planted import PLANTED

PROFILES = 24
States = dict[tuple[bytes, bytes], tuple[int, int]]


@dataclass
class Log:
    """Records by partition: which profile was told of, and its state from then on."""

    records: list[list[tuple[bytes, int]]] = field(
        default_factory=lambda: [[] for _ in range(SHARES)]
    )
    told: int = 0
    states: dict[bytes, int] = field(default_factory=dict)
    """As the projection holds them: who learns reads them there, however late the record."""

    def tell(self, profile: bytes) -> None:
        self.told += 1
        self.states[profile] = self.told
        self.records[profile[0] % len(self.records)].append((profile, self.told))

    def widen(self) -> None:
        """One more partition: profiles are told of elsewhere from now on."""
        self.records.append([])

    @property
    def ends(self) -> list[int]:
        return [len(part) for part in self.records]


@dataclass
class Stored:
    """What Postgres would hold: progress by share, and the states each pair was compared with."""

    progress: dict[int, Positions] = field(
        default_factory=lambda: dict.fromkeys(range(SHARES), BEGINNING)
    )
    compared: dict[tuple[bytes, bytes], tuple[int, int]] = field(default_factory=dict)
    kept: dict[int, Positions] = field(
        default_factory=lambda: dict.fromkeys(range(SHARES), BEGINNING)
    )
    features: dict[bytes, int] = field(default_factory=dict)


class Process:
    """Reads, learns, compares, stores; dies with everything but what is stored."""

    def __init__(self, log: Log, stored: Stored, fenced: bool) -> None:
        self.log, self.stored, self.fenced = log, stored, fenced
        self.states: dict[bytes, int] = {}
        self.shares = Shares(BEGINNING)
        # as after a restart: the features that are stored, as of the least progress of all
        self.states.update(stored.features)
        self.shares.read(dict(enumerate(lowest(list(stored.kept.values())))))

    def _learn(self, start: Positions, ends: Positions) -> None:
        for partition, (first, last) in enumerate(zip_longest(start, ends, fillvalue=0)):
            for offset in range(first, last):
                profile, _ = self.log.records[partition][offset]
                self.states[profile] = self.log.states[profile]
        self.shares.read(dict(enumerate(ends)))

    def hold(self, given_: set[int]) -> None:
        kept = {s: at for s, at in self.shares.held.items() if s in given_}
        new = {s: self.stored.progress[s] for s in given_ - kept.keys()}
        features = {s: at for s, at in self.shares.kept.items() if s in given_}
        features |= {s: self.stored.kept[s] for s in given_ - kept.keys()}
        self.shares.take({**kept, **new}, features)

    def round(self, chance: random.Random) -> None:
        start = self.shares.reading
        ends = tuple(
            chance.randint(at, max(at, end))
            for at, end in zip_longest(start, self.log.ends, fillvalue=0)
        )
        triggered, unkept = {}, set[bytes]()
        for partition, (first, last) in enumerate(zip_longest(start, ends, fillvalue=0)):
            for offset in range(first, last):
                profile, _ = self.log.records[partition][offset]
                shares = self.shares.triggered([(partition, offset)])
                if self.shares.unkept(profile, [(partition, offset)]):
                    unkept.add(profile)
                triggered[profile] = triggered.get(profile, frozenset()) | shares
        before = self.shares.working
        after = self.shares.after(dict(enumerate(ends)))
        keeping = self.shares.keeping(dict(enumerate(ends)))
        self._learn(start, _later(self.shares.known, ends))
        stored = self.stored.progress
        if self.fenced and not all(same(stored[share], at) for share, at in before.items()):
            self.shares.take({})
            return
        for one, shares in triggered.items():
            for other in self.states.keys() - {one}:
                pair = pair_of(one, other)
                if share_of(pair[0]) in shares:
                    self.stored.compared[pair] = (self.states[pair[0]], self.states[pair[1]])
        for share, at in after.items():
            self.stored.progress[share] = _later(self.stored.progress[share], at)
        for profile in unkept:
            self.stored.features[profile] = self.states[profile]
        for share, at in keeping.items():
            self.stored.kept[share] = _later(self.stored.kept[share], at)
        self.shares.held.update(after)
        self.shares.kept.update(keeping)


def _later(one: Positions, other: Positions) -> Positions:
    return tuple(map(max, zip_longest(one, other, fillvalue=0)))


@given(st.integers(0, 2**32))
def test_every_pair_is_compared_with_its_last_states(seed: int) -> None:
    compared, expected = played(seed)
    assert compared == expected


@pytest.mark.parametrize("bug", ["own_offsets", "forgetful"])
def test_a_planted_bug_is_seen(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("take", "working"):
        monkeypatch.setattr(Shares, name, getattr(Shares, name))  # put back afterwards
    monkeypatch.setattr(store, "fence", store.fence)
    PLANTED[bug]()
    wrong = 0
    for seed in range(100):
        # where the others are is not in such progress, so nothing can be fenced by it
        compared, expected = played(seed, fenced=bug != "own_offsets")
        wrong += compared != expected
    assert wrong > 10


def played(seed: int, fenced: bool = True) -> tuple[States, States]:
    """What was compared in the end, and what should have been."""
    chance = random.Random(seed)
    log, stored = Log(), Stored()
    profiles = [chance.randbytes(16) for _ in range(PROFILES)]
    processes = [Process(log, stored, fenced), Process(log, stored, fenced)]
    given_: list[set[int]] = [set(range(SHARES)), set()]
    for _ in range(60):
        draw = chance.random()
        number = chance.randrange(2)
        if draw < 0.4:
            log.tell(chance.choice(profiles))
        elif draw < 0.42 and len(log.records) < SHARES + 2:
            log.widen()
        elif draw < 0.5:
            processes[number] = Process(log, stored, fenced)
            given_[number] = set()
        elif draw < 0.65:
            given_[number] = {s for s in range(SHARES) if chance.random() < 0.5}
            if chance.random() < 0.7:  # else both believe that some are theirs
                given_[1 - number] = set(range(SHARES)) - given_[number]
        else:
            processes[number].hold(given_[number])
            processes[number].round(chance)
    last = Process(log, stored, fenced)
    for _ in range(200):
        last.hold(set(range(SHARES)))
        last.round(chance)
        progress = [*stored.progress.values(), *stored.kept.values()]
        if all(same(at, tuple(log.ends)) for at in progress):
            break
    else:
        pytest.fail("it never catches up")
    # whoever starts now knows everybody: no progress without what it speaks of
    everybody = {profile for part in log.records for profile, _ in part}
    assert set(Process(log, stored, fenced).states) == everybody
    states = dict(sorted((one for part in log.records for one in part), key=lambda one: one[1]))
    return stored.compared, {
        pair_of(one, other): (states[pair_of(one, other)[0]], states[pair_of(one, other)[1]])
        for one in states
        for other in states
        if one < other
    }


def test_a_share_waits_until_this_process_knows_as_much_as_the_one_before() -> None:
    shares = Shares((5,) * SHARES)
    shares.take({3: (9, *(2,) * (SHARES - 1))})
    assert shares.working == {} and shares.reading == (5,) * SHARES
    shares.read({0: 9})
    assert shares.reading == (9, *(2,) * (SHARES - 1))
    assert shares.triggered([(1, 2)]) == {3} and shares.triggered([(0, 8)]) == frozenset()


def test_shares_are_even() -> None:
    chance = random.Random(1)
    counts = [0] * SHARES
    for _ in range(8_000):
        counts[share_of(chance.randbytes(16))] += 1
    assert max(counts) < 1.2 * min(counts)


def test_features_that_were_never_stored_are_read_again_by_whoever_holds_the_share() -> None:
    """After a switch the rules' progress stands at the end, and nothing is stored yet."""
    end = (9,) * SHARES
    shares = Shares(BEGINNING)
    shares.take({3: end}, {3: BEGINNING})
    mine = bytes(12) + (3).to_bytes(4, "big")
    assert shares.working == {} and shares.reading == BEGINNING
    assert shares.unkept(mine, [(1, 2)]) and not shares.unkept(bytes(16), [(1, 2)])
    shares.read(dict.fromkeys(range(SHARES), 9))
    assert shares.reading == BEGINNING  # known, but not kept: another process took it over
    shares.kept.update(shares.keeping({1: 4}))
    assert shares.kept[3][1] == 4 and not shares.unkept(mine, [(1, 2)])
