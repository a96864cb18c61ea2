"""What is kept of tills: the numbers seen, what receipts add to their day, and closed days."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.faults.reading import Read
from tests.faults.wire import Record

Events = list[tuple[Read, str, Record]]
DAY, JAPAN = 86_400_000_000, 9 * 3_600_000_000
POINTS = {"PointsEarned", "PointsRedeemed", "PointsReversed"}
NUMBERED = {"PurchaseCompleted", "PurchaseReturned", "PurchaseVoided", "DeadLettered"} | POINTS


def tables(events: Events) -> dict[str, Iterable[tuple[Any, ...]]]:
    """Table by table."""
    return {
        "terminal_receipts": _numbers(events),
        "till_receipt": _receipts(events),
        "terminal_closing": _closings(events),
    }


def _till(name: str, record: Record) -> tuple[tuple[str, str, str, int], int] | None:
    """System, store, till, epoch, and the number; None where an event has none."""
    producer = record["meta"]["producer"]
    if name == "ReceiptNumberUsed":
        system = record["system"] or producer["system"]
        till = (system, record["location_id"], record["terminal_id"], record["terminal_epoch"])
        return till, record["number"]
    till, number = producer["terminal_id"], producer["terminal_sequence"]
    if name not in NUMBERED or till is None or number is None:
        return None
    store = producer["store_id"] or ""
    return (producer["system"], store, till, producer["terminal_epoch"]), number


def _numbers(events: Events) -> Iterable[tuple[Any, ...]]:
    """The numbers seen of each till, by the partition that they were seen in."""
    seen: dict[tuple[Any, ...], set[int]] = {}
    for read, name, record in events:
        found = _till(name, record)
        if found is not None:
            seen.setdefault((*found[0], read.topic, read.partition), set()).add(found[1])
    for key, numbers in seen.items():
        yield (*key, tuple(sorted(numbers)))


def _receipts(events: Events) -> Iterable[tuple[Any, ...]]:
    for _, name, record in events:
        found, sale = _till(name, record), name == "PurchaseCompleted"
        told = record["business_date"] if sale or name == "ReceiptNumberUsed" else None
        tenders = record["tenders"] if sale else []
        taxes = record["tax_by_rate"] if sale else []
        if found is None and not (sale and (told is not None or tenders or taxes)):
            continue
        if name in POINTS and record["transaction_id"] is not None:
            continue
        at, system = record["meta"]["occurred_at"], record["meta"]["producer"]["system"]
        till, number = found or ((system, record["location_id"], "", 0), None)
        here = (at + JAPAN) // DAY
        odd = told is not None and not here - 1 <= told <= here
        yield (
            record["meta"]["event_id"],
            here if told is None or abs(told - here) > 2 else told,
            till[1], till[0], till[2], till[3], number, at, told, told if odd else None,
            record["currency"] if tenders or taxes else None, _sums(tenders), _rates(taxes),
        )  # fmt: skip


def _closings(events: Events) -> Iterable[tuple[Any, ...]]:
    kept: dict[tuple[Any, ...], tuple[int, str]] = {}
    for _, name, record in events:
        if name != "TerminalDayClosed":
            continue
        system = record["system"] or record["meta"]["producer"]["system"]
        first, last = record["first_number"], record["last_number"]
        if record["count"] == 0 and first is not None and last <= first:
            first = None  # nothing was rung up, whatever numbers are around
        key = (
            record["location_id"], system, record["terminal_id"], record["terminal_epoch"],
            record["business_date"], -1 if first is None else first,
        )  # fmt: skip
        said = _said({
            "ranges": [] if first is None else [[first, last]], "count": record["count"],
            "currency": record["currency"], "tenders": json.loads(_sums(record["tenders"]) or "{}"),
            "taxes": json.loads(_rates(record["tax_by_rate"]) or "{}"),
        })  # fmt: skip
        kept[key] = max(kept.get(key, (0, "")), (record["meta"]["occurred_at"], said))
    for key, latest in kept.items():
        yield (*key, *latest)


def _sums(tenders: list[Record]) -> str | None:
    sums: dict[str, int] = {}
    for one in sorted(tenders, key=lambda one: str(one["kind"])):
        sums[one["kind"]] = sums.get(one["kind"], 0) + one["amount"]
    return _said(sums) if tenders else None


def _rates(taxes: list[Record]) -> str | None:
    sums: dict[str, list[int]] = {}
    for one in sorted(taxes, key=lambda one: int(one["rate_basis_points"])):
        net, tax = sums.get(str(one["rate_basis_points"]), [0, 0])
        sums[str(one["rate_basis_points"])] = [net + one["net"], tax + one["tax"]]
    return _said(sums) if taxes else None


def _said(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
