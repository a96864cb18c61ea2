"""Compares every sale in its customer's list, and the pages of many sales.

The list has header and lines. The page has the points and what corrected the sale as well; it is
asked for every sale to which something rare happened, and for one in five of the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from services.demo.common.answers import Answers, in_parallel
from services.demo.questions import receipts
from services.demo.questions.places import item_of, place_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.questions.receipts import is_asked
from services.demo.shop import names
from services.demo.shop.sales import copy_id

# the gateway measures a wrong clock as exactly as the request is fast
TOLERATED = timedelta(minutes=2)
_RARE = ("copied", "cancels", "oddities", "amendments", "adjustments")
_CORRECTIONS = {
    "return": "slips", "cancel": "cancels", "amendment": "amendments",
    "price_adjustment": "adjustments",
}  # fmt: skip
Record = dict[str, Any]
Values = dict[str, object]


async def ask(asking: PendingQuestion) -> None:
    async def customer(expected: tuple[int, list[Record]]) -> None:
        number, rows = expected
        sales = [list(lines) for _, lines in groupby(rows, key=itemgetter("channel", "number"))]
        wanted = {_transaction(lines[0]): lines for lines in sales}
        listed: dict[str, Record] = {}
        for sale in chain.from_iterable(await asking.answers.of_customer(number, "purchases")):
            if sale["transaction_id"] not in names.SCENE:  # not in the generated tables
                listed[sale["transaction_id"]] = sale
                _count(asking.tally, sale)
        bought, seen = dict.fromkeys(wanted, "listed"), dict.fromkeys(listed, "listed")
        asking.row.mapping(f"customer {number}: sale ", bought, seen, of=1)
        for transaction in sorted(wanted.keys() & listed.keys()):
            lines = wanted[transaction]
            found = _of_list(listed[transaction], lines[0]["happened"])
            asking.row.mapping(_about(lines[0]), _expected_of_list(lines), found)
            if _asks_page(lines):
                await _page(asking, transaction, lines)
        asking.answered()

    await in_parallel(asking.records_by_customer("purchases"), customer)


def _about(of: Record) -> str:
    return f"{of['channel']} {of['number']} "


def _transaction(of: Record) -> str:
    return names.transaction(names.SELLING[of["channel"]], of["number"])


def _count(tally: Counter[str], sale: Mapping[str, Any]) -> None:
    tally["purchases"] += 1
    tally["sales"] += sale["total"]
    for line in sale["lines"]:
        tally["lines"] += 1
        tally["units sold"] += line["quantity"]
        tally["units returned"] += line["returned"]
        tally["units refunded"] += line["refunded"]
        tally["returns"] += line["returned"] + line["refunded"] > 0


def _expected_of_list(lines: list[Record]) -> Values:
    of = lines[0]
    units = ("quantity", "returned", "refunded")
    return {
        **{name: of[name] for name in ("channel", "location", "cents", "happened")},
        **{f"item {line['item']}": tuple(line[unit] for unit in units) for line in lines},
    }


def _of_list(found: Record, happened: datetime) -> Values:
    return {
        "channel": found["channel"],
        "location": place_of(found["location_id"]),
        "cents": found["total"],
        "happened": _time(found["occurred_at"], happened),
        **{
            f"item {item_of(line['sku'])}": (line["quantity"], line["returned"], line["refunded"])
            for line in found["lines"]
        },
    }


def _time(told: str, expected: datetime) -> datetime:
    """The expected time if the answered one differs by less than the gateway's tolerance."""
    answered = datetime.fromisoformat(told).astimezone(names.JST).replace(tzinfo=None)
    return expected if abs(answered - expected) <= TOLERATED else answered


def _asks_page(lines: list[Record]) -> bool:
    of = lines[0]
    rare = any(of[column] for column in _RARE) or of["fulfilment"] == "PICKUP"
    return rare or is_asked(of["number"]) or any(line["refunded"] for line in lines)


async def _page(asking: PendingQuestion, transaction: str, lines: list[Record]) -> None:
    of = lines[0]
    found = await asking.answers.get(f"/v1/purchases/{transaction}")
    seen = _of_page(found, asking.answers, of["happened"])
    asking.receipts[transaction] = receipts.answered(found)
    asking.row.mapping(_about(of), _expected_of_page(lines), seen)
    if of["copied"]:
        asking.row.mapping(_about(of), *await _copy(asking.answers, of, found))


def _expected_of_page(lines: list[Record]) -> Values:
    of = lines[0]
    header = ("channel", "location", "customer", "cents", "oddities", "happened")
    return {
        **{name: of[name] for name in header},
        "day": of["happened"].date(),
        "points": (of["earned"], of["redeemed"], of["taken_back"], 0),
        "corrections": +Counter({name: of[column] for name, column in _CORRECTIONS.items()}),
        **{
            f"item {line['item']}": (
                line["quantity"], line["paid"], line["leaves_from"], line["fulfilment"],
                line["returned"], line["refunded"], line["cancelled"], 0, line["given_back"],
            )
            for line in lines
        },
    }  # fmt: skip


def _of_page(found: Record, answers: Answers, happened: datetime) -> Values:
    points = found["points"] or {}
    return {
        "channel": found["channel"],
        "location": place_of(found["location_id"]),
        "customer": answers.customer(found["profile_id"]),
        "cents": found["total"],
        "oddities": len(found["discrepancies"]),
        "happened": _time(found["occurred_at"], happened),
        "day": datetime.fromisoformat(found["business_date"]).date(),
        "points": tuple(
            points.get(name) for name in ("earned", "spent", "taken_back", "given_back")
        ),
        "corrections": Counter(correction["kind"] for correction in found["corrections"]),
        **{
            f"item {item_of(line['sku'])}": (
                line["quantity"], line["paid"], place_of(line["location_id"]), line["fulfilment"],
                line["returned"], line["refunded"], line["cancelled"], line["voided"],
                line["given_back"],
            )
            for line in found["lines"]
            if line["kind"] == "GOODS"
        },
    }  # fmt: skip


async def _copy(answers: Answers, of: Record, found: Record) -> tuple[Values, Values]:
    """What a copy must be known as, and what it is: the sale, which is found once."""
    copy = await answers.get(f"/v1/events/{copy_id(of['number'])}")
    sought = {
        "receipt_number": str(of["number"]),
        "location_id": found["location_id"],
        "day": of["happened"].date().isoformat(),
    }
    sales = await answers.post("/v1/purchases/search", sought)
    once = [found["transaction_id"]]
    return (
        {"copy of": found["event_id"], "found by its receipt": once},
        {
            "copy of": copy["duplicate_of"],
            "found by its receipt": [sale["transaction_id"] for sale in sales],
        },
    )
