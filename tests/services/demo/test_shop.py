"""Do the rows become the shop that the page describes?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from schemas.generated.inputs import parse
from services.cli.local_services import TOKEN_ROLES, TOKENS
from services.demo.check.oracle import Oracle
from services.demo.scene import ORDER, SALE, STORE, Scene
from services.demo.shop import Json, names
from services.demo.shop.rows import Rows
from services.demo.shop.streams import bulk, tills, web_shop
from services.intake.admission import within_scopes
from services.intake.records import Intake, Refusal
from services.points.program.accrual_source import ProgramVersions, unreadable
from services.runtime.tokens import Token

LONGEST_PURCHASE = 500


def every_event(rows: Rows) -> Iterator[Json]:
    for lane in (*bulk(rows), *tills(rows), web_shop(rows)):
        for moment in lane.moments:
            yield from moment


@pytest.fixture(scope="module")
def events(rows: Rows) -> list[Json]:
    return list(every_event(rows))


def of(events: list[Json], kind: str) -> list[Json]:
    return [event for event in events if event["type"] == kind]


def test_a_second_run_makes_the_same_events(rows: Rows, events: list[Json]) -> None:
    assert list(every_event(rows)) == events


def test_no_two_events_share_an_id(events: list[Json]) -> None:
    assert len({event["meta"]["event_id"] for event in events}) == len(events)


def test_the_gateway_would_take_every_event(events: list[Json]) -> None:
    for event in events:
        parse(event)


def test_every_system_may_tell_what_it_tells(rows: Rows) -> None:
    intake = Intake(None, bytes(32), ProgramVersions(None, "producer"), unreadable)  # type: ignore[arg-type]
    for lane in (*bulk(rows), *tills(rows), web_shop(rows)):
        scopes = TOKENS.get(lane.role, ("channel:*", "system:*", "store:*"))
        sender = Token(lane.name, frozenset(scopes), lane.role)
        for moment in lane.moments:
            models = [intake.read(event, sender) for event in moment]
            assert [one for one in models if isinstance(one, Refusal)] == [], lane.name
            if lane.role in ("till", "ec"):  # by HTTP; what goes in bulk has no token
                within_scopes(sender, [(0, one) for one in models if not isinstance(one, Refusal)])


def test_everybody_in_the_scene_may_tell_what_they_tell() -> None:
    intake = Intake(None, bytes(32), ProgramVersions(None, "producer"), unreadable)  # type: ignore[arg-type]
    scene = Scene(None, None, "", "", {})  # type: ignore[arg-type]
    scene._who, scene._sku = 1, "sku"
    told = [
        ("till", scene._purchase(names.POS, SALE, STORE, 1)),
        ("ec", scene._purchase(names.EC, ORDER, None, 1, "SHIP")),
        ("warehouse", scene._shipped(names.location(None))),
        ("till", scene._returned(names.POS, SALE, STORE, 1)),
        ("ec", scene._returned(names.EC, ORDER, None, 1)),
    ]
    for who, event in told:
        sender = Token(who, frozenset(TOKENS[who]), TOKEN_ROLES[who])
        read = intake.read(event, sender)
        assert not isinstance(read, Refusal), read
        within_scopes(sender, [(0, read)])


def test_what_is_sent_adds_up_to_what_the_oracle_expects(
    events: list[Json], oracle: Oracle
) -> None:
    purchases, returns = of(events, "PurchaseCompleted"), of(events, "PurchaseReturned")
    lines = [line for purchase in purchases for line in purchase["lines"]]
    back = [line for returned in returns for line in returned["lines"]]
    lots = [lot for earned in of(events, "PointsEarned") for lot in earned["lots"]]
    assert dict(oracle.expected("totals")) == {
        "purchases": len(purchases),
        "lines": len(lines),
        "units sold": sum(line["quantity"] for line in lines),
        "sales": sum(purchase["total"] for purchase in purchases),
        "returns": len(returns),
        "units returned": sum(line["quantity"] for line in back),
        "points earned": sum(lot["points"] for lot in lots),
        "points redeemed": sum(event["points"] for event in of(events, "PointsRedeemed")),
        "points taken back": sum(event["points"] for event in of(events, "PointsReversed")),
        "members": len({event["profile_id"] for event in of(events, "ProfileRegistered")}) // 2,
        "inquiries": len(of(events, "InquiryOpened")),
    }


def test_a_return_carries_the_profile_of_its_sale(events: list[Json]) -> None:
    buyers = {
        event["transaction_id"]: event.get("profile_id")
        for event in of(events, "PurchaseCompleted")
    }
    returns = of(events, "PurchaseReturned")
    assert all(back["profile_id"] == buyers[back["transaction_id"]] for back in returns)
    others = [back for back in returns if back.get("returned_by") != back["profile_id"]]
    assert len(others) > len(returns) / 10, "who comes to the counter is often not the buyer"


def test_a_till_sends_its_receipts_in_the_order_of_their_numbers(rows: Rows) -> None:
    for till in tills(rows):
        sequences = [
            event["meta"]["producer"]["terminal_sequence"]
            for moment in till.moments
            for event in moment
            if event["type"] == "PurchaseCompleted"
        ]
        assert sequences == sorted(set(sequences))


def test_a_null_quantity_is_a_line_of_nothing(events: list[Json]) -> None:
    lines = Counter(
        line["quantity"] == 0
        for event in of(events, "PurchaseCompleted")
        for line in event["lines"]
    )
    assert lines[True] > 1_000
    assert max(len(event["lines"]) for event in of(events, "PurchaseCompleted")) <= LONGEST_PURCHASE


def test_a_lot_belongs_to_a_line_and_a_reversal_names_it(events: list[Json]) -> None:
    lots = {
        lot["lot_id"]: lot["points"]
        for earned in of(events, "PointsEarned")
        for lot in earned["lots"]
    }
    for taken in of(events, "PointsReversed"):
        (allocation,) = taken["allocations"]
        assert allocation["points"] == taken["points"] <= lots[allocation["lot_id"]]
