"""Does every entrant end where the events lead, and would it be seen if one did not?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.benchmarks import filling, peer, report, rounds, sending
from tests.benchmarks.oracle import WrongState
from tests.benchmarks.servers import Servers
from tests.benchmarks.workload import Shape, load

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
EVENTS, PREFIX = 3_000, 300
SHAPE = Shape(members=400, locations=5, skus=200)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Their own: a round takes away every table and topic there is."""
    with Servers() as own:
        yield own


@pytest.mark.parametrize("workload", [pytest.param("w1", marks=pytest.mark.long), "w2"])
def test_every_entrant_ends_in_the_state_that_follows(servers: Servers, workload: str) -> None:
    results = rounds.measure(servers, {workload: EVENTS}, PREFIX, SHAPE, 1)
    assert [each.entrant for each in results] == list(rounds.ENTRANTS)
    found = {**rounds.summary(results), "machine": servers.machine(), "events": EVENTS}
    shown = report.plain({**found, "rounds": 1, "keys": "uniform", "tables": "empty"})
    assert all(name.replace("**", "") in shown for name in report.NAMES.values())
    assert set(found["ratios"][workload]) == set(rounds.RIVALS)


@pytest.mark.long
def test_skewed_keys_over_filled_tables(servers: Servers) -> None:
    shape = replace(SHAPE, skewed=True)
    only = ("ours", "loop")
    results = rounds.measure(servers, {"w2": EVENTS}, PREFIX, shape, 1, only, filled=True)
    assert [each.entrant for each in results] == list(only)


def test_one_wrong_row_ends_the_run(servers: Servers) -> None:
    sent = load("w1", EVENTS, PREFIX, SHAPE)
    sent.expected.balance[next(iter(sent.expected.balance))] += 1
    servers.fresh()
    sending.send(servers.endpoints.kafka, sent.records)
    loop = next(each for each in peer.PEERS if each.name == "loop")
    with pytest.raises(WrongState, match="loop: balance"):
        peer.run(servers, loop, sent)


def test_resends_are_the_same_bytes() -> None:
    sent = load("w1", EVENTS, PREFIX, SHAPE)
    values = {record.value for record in sent.records}
    assert len(values) == len(sent.expected.ledger)
    assert 0.03 < 1 - len(values) / EVENTS < 0.07


def test_a_skewed_shop_meets_some_members_often() -> None:
    shape = Shape(members=2_000, skus=500, skewed=True)
    sold = load("w2", 5_000, 500, shape).expected
    even = load("w2", 5_000, 500, replace(shape, skewed=False)).expected
    assert len(sold.balance) < 0.9 * len(even.balance)
    assert len(sold.stock) < 0.9 * len(even.stock)


def test_a_history_is_the_same_for_all() -> None:
    sent = load("w2", 1_000, 100, SHAPE)
    before = sum(sent.expected.balance.values())
    filling.remember(sent, SHAPE)
    assert sum(sent.expected.balance.values()) == before + SHAPE.members * filling.BALANCE
    assert len(sent.expected.stock) == SHAPE.locations * SHAPE.skus
