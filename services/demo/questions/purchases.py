"""Compares every sale: its header, its lines, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.demo.common.answers import Answers, in_parallel
from services.demo.questions.places import place_of
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.shop import names
from services.demo.shop.sales import copy_id

# the gateway measures a wrong clock as exactly as the request is fast
TOLERATED = timedelta(minutes=2)
Lines = list[dict[str, Any]]


async def ask(asking: PendingQuestion) -> None:
    async def sale(lines: Lines) -> None:
        of = lines[0]
        about = f"{of['channel']} {of['number']} "
        transaction = names.transaction(names.SELLING[of["channel"]], of["number"])
        path = f"/v1/purchases/{transaction}"
        found = await asking.answers.get(path)
        asking.row.mapping(
            about, _expected(lines), _answered(found, asking.answers, of["happened"])
        )
        if of["copied"]:
            asking.row.mapping(about, *await _copy(asking.answers, of, found))
        asking.answered()

    await in_parallel(_by_sale(asking), sale)


def _by_sale(asking: PendingQuestion) -> Iterator[Lines]:
    rows = asking.oracle.records("purchases")
    for _, lines in groupby(rows, key=itemgetter("channel", "number")):
        yield list(lines)


def _expected(lines: Lines) -> dict[str, object]:
    of = lines[0]
    header = {name: of[name] for name in ("channel", "location", "customer", "cents", "oddities")}
    return {
        **header,
        "at": of["happened"],
        "day": of["happened"].date(),
        "points": (of["earned"], of["redeemed"], of["taken_back"], 0),
        "corrections": +Counter({"return": of["slips"], "cancel": of["cancels"]}),
        **{
            f"item {line['item']}": (
                line["quantity"], line["paid"], line["leaves_from"], line["fulfilment"],
                line["returned"], line["refunded"], line["cancelled"], 0, 0,
            )
            for line in lines
        },
    }  # fmt: skip


def _answered(found: Any, answers: Answers, at: datetime) -> dict[str, object]:
    happened = datetime.fromisoformat(found["occurred_at"]).astimezone(names.JST)
    happened = happened.replace(tzinfo=None)
    points = found["points"] or {}
    return {
        "channel": found["channel"],
        "location": place_of(found["location_id"]),
        "customer": answers.customer(found["profile_id"]),
        "cents": found["total"],
        "oddities": len(found["discrepancies"]),
        "at": at if abs(happened - at) <= TOLERATED else happened,
        "day": datetime.fromisoformat(found["business_date"]).date(),
        "points": tuple(
            points.get(name) for name in ("earned", "spent", "taken_back", "given_back")
        ),
        "corrections": Counter(correction["kind"] for correction in found["corrections"]),
        **{
            f"item {line['sku']}": (
                line["quantity"], line["paid"], place_of(line["location_id"]), line["fulfilment"],
                line["returned"], line["refunded"], line["cancelled"], line["voided"],
                line["given_back"],
            )
            for line in found["lines"]
        },
    }  # fmt: skip


async def _copy(
    answers: Answers, of: dict[str, Any], found: Any
) -> tuple[dict[str, object], dict[str, object]]:
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
