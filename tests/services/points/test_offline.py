"""Does an offline till know its limit, and does somebody see when it took more?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from projections.core.instants import micros
from schemas.generated.events.parts import Meta, Producer
from services.points.holds.offline_limit import above
from services.sdk import FloorLimit
from tests.services.points.wallet import TOKENS, Wallet, wallet

T0 = 1_775_000_000_000_000
LIMITS = json.dumps({"offline_floor": {"per_redemption": 100, "terminals": {"S1/till-9": 30}}})


def version(name: str, valid_from: int, rules: str) -> dict[str, object]:
    return {
        "program_id": "hitotsu-points", "valid_from": valid_from, "set_at": valid_from,
        "version": name, "accrual": "PRODUCER", "rules": rules,
    }  # fmt: skip


def taken(points: int, at: int, terminal: str) -> dict[str, object]:
    return {
        "event_id": uuid4(), "at": at, "points": points, "terminal": terminal, "program_id": None
    }  # fmt: skip


def test_what_is_above_the_limit_of_then_is_listed_with_it() -> None:
    rows = [version("2", T0 + 10, "{}"), version("1", T0, LIMITS)]
    listed = above(
        [
            taken(100, T0 + 5, "S1/till-1"),
            taken(101, T0 + 5, "S1/till-1"),
            taken(31, T0 + 5, "S1/till-9"),
            taken(1, T0 + 10, "S1/till-1"),
            taken(1, T0 - 1, "S1/till-1"),
        ],
        rows,
    )
    assert [(one["points"], one["limit"], one["rule_version"]) for one in listed] == [
        (101, 100, "1"), (31, 30, "1"), (1, 0, "2"), (1, 0, None),
    ]  # fmt: skip


def test_rules_that_cannot_be_read_allow_nothing() -> None:
    (one,) = above([taken(1, T0, "S1/t")], [version("bad", T0, "{")])
    assert one["limit"] == 0


def test_a_till_that_was_never_told_takes_nothing_unasked(tmp_path: Path) -> None:
    limit = FloorLimit(tmp_path / "floor")
    assert not limit.allows(1)
    (tmp_path / "floor").write_text("not a limit")
    assert not limit.allows(1)


@pytest.fixture(scope="module")
def purse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet(tmp_path_factory.mktemp("offline")) as own:
        yield own


@pytest.mark.servers
@pytest.mark.timeout(120)
def test_a_till_takes_its_limit_offline_and_more_is_seen(purse: Wallet, tmp_path: Path) -> None:
    purse.append(
        "ProgramRulesSet", program_id="hitotsu-points", version="1", rules=LIMITS, valid_from=0
    )
    purse.until(lambda: purse.road.sql("select 1 from program_rules"))
    limit = FloorLimit(tmp_path / "floor")
    assert limit.refresh(purse.url, TOKENS["till"], "S1", "till-9") == 30
    again = FloorLimit(tmp_path / "floor")  # the till was restarted, and the line is down
    assert again.allows(30)
    assert not again.allows(31)
    who = purse.earned(100)
    asked = {"profile_id": who.bytes, "allocations": [], "hold_id": None, "transaction_id": None}
    producer = Producer(system="pos", channel="STORE", store_id="S1", terminal_id="till-9")
    meta = Meta(event_id=uuid4().bytes, occurred_at=micros(datetime.now(UTC)), producer=producer)
    purse.append("PointsRedeemed", points=30, meta=meta, **asked)
    over = purse.append(
        "PointsRedeemed", points=31, meta=replace(meta, event_id=uuid4().bytes), **asked
    )
    purse.until(lambda: purse.stored(who) == 39)
    headers = {"Authorization": f"Bearer {TOKENS['app']}"}
    said = purse.client.get("/v1/points/unauthorised", headers=headers).json()
    assert [UUID(one["event_id"]) for one in said["redemptions"]] == [over]
    assert said["redemptions"][0]["limit"] == 30
    no = purse.client.get("/v1/points/offline-limit", headers={
        "Authorization": f"Bearer {TOKENS['till']}"
    })  # fmt: skip
    assert no.status_code == 422
    assert no.json()["errors"][0]["pointer"] == "/query/store_id"


@pytest.mark.servers
@pytest.mark.timeout(120)
def test_where_tills_give_points_a_program_may_give_its_own_by_rules(purse: Wallet) -> None:
    """The setting says who gives points where no rules are in force, and nothing else."""
    who, other, at = uuid4(), uuid4(), micros(datetime.now(UTC))
    rejudge = purse.road.begin("points", "rejudge", "--since", "2026-01-01")
    assert b"no program has rules that give points" in b"".join(rejudge.communicate(timeout=60))
    rules = json.dumps({"earn": [{"points": 10, "per": 100}]})
    purse.append("ProgramJoined", profile_id=who.bytes, program_id="club", at=at - 1)
    purse.append(
        "ProgramRulesSet", program_id="club", version="1", rules=rules, accrual="RULES",
        valid_from=at - 1,
    )  # fmt: skip
    for buyer in (who, other):
        purse.append(
            "PurchaseCompleted", transaction_id=uuid4().bytes, profile_id=buyer.bytes, at=at,
            tenders=[],
        )  # fmt: skip
    purse.until(lambda: purse.stored(who) == 165)
    assert purse.points(who, program="club")["balance"] == 165
    assert purse.points(who)["balance"] == 0
    assert purse.stored(other) == 0
