"""Stock, the catalogue, and what was bought: from purchases, inventory and catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

Row = tuple[Any, ...]
STOCK = {
    # name: (sign on hand, sign committed)
    "StockReceived": (1, 0),
    "StockAdjusted": (1, 0),
    "StockAllocated": (0, 1),
    "ReservationCommitted": (0, 1),
    "AllocationReleased": (0, -1),
    "StockShipped": (-1, -1),
}


def tables(events: list[Any]) -> dict[str, Iterable[Row]]:
    named: dict[str, list[Any]] = defaultdict(list)
    for _, name, event in events:
        named[name].append(event)
    return {
        "stock_cell": list(_cells(events)),
        "stock_count": [
            (one["meta"]["event_id"], one["sku"], one["location_id"], one["counted_at"],
             one["quantity"])
            for one in named["StockCounted"]
        ],
        "stock_promise": list(_promises(events)),
        "item": _versions(named["ItemDescribed"], ("sku",), ("name", "category")),
        "location": _versions(named["LocationDescribed"], ("location_id",), ("kind", "name")),
        "stock_policy": _versions(
            [{**one, "sku": one["sku"] or ""} for one in named["StockPolicySet"]],
            ("location_id", "sku"), ("safety_stock", "store_share", "company_threshold"),
        ),
        "need_policy": _versions(
            [{**one, "scope": _scope(one)} for one in named["NeedPolicySet"]],
            ("scope",), ("kind", "reach", "interval_days"),
        ),
        "purchase": map(_bought, named["PurchaseCompleted"]),
        "purchase_return": map(_back, named["PurchaseReturned"] + named["PurchaseVoided"]),
        "purchase_claim": list(_claims(named["PurchaseAttributed"])),
    }  # fmt: skip


def _cells(events: list[Any]) -> Iterator[Row]:
    moves: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    reads: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for _, name, event in events:
        at = event["meta"]["occurred_at"]
        if name in ("PurchaseCompleted", "PurchaseVoided"):
            sign = -1 if name == "PurchaseCompleted" else 1
            in_store = event["meta"]["producer"]["channel"] == "STORE"
            for line in event["lines"]:
                if in_store or line["fulfilment"] == "IMMEDIATE":
                    where = line["location_id"] or event["location_id"]
                    moves[line["sku"], where].append((at, sign * line["quantity"]))
        elif name == "PurchaseReturned":
            for line in event["lines"]:
                cell = (line["sku"], event["location_id"])
                moves[cell].append((at, line["quantity"]))
                sums[cell][1] += line["quantity"] * (line["disposition"] != "BACK_IN_STOCK")
        elif name in STOCK:
            cell, quantity = (event["sku"], event["location_id"]), event["quantity"]
            on_hand, committed = STOCK[name]
            sums[cell][0] += committed * quantity
            if on_hand:
                moves[cell].append((at, on_hand * quantity))
        elif name == "StockCounted":
            cell = (event["sku"], event["location_id"])
            reads[cell].append((event["counted_at"], event["quantity"]))
        elif name == "StockStateChanged":
            became = {"SELLABLE": 0}
            change = became.get(event["to_state"], 1) - became.get(event["from_state"], 1)
            sums[event["sku"], event["location_id"]][1] += change * event["quantity"]
        elif name == "TransferShipped":
            moves[event["sku"], event["from_location_id"]].append((at, -event["quantity"]))
            sums[event["sku"], event["to_location_id"]][2] += event["quantity"]
        elif name == "TransferReceived":
            cell = (event["sku"], event["to_location_id"])
            moves[cell].append((at, event["quantity"]))
            sums[cell][2] -= event["quantity"] + event["discrepancy"]
    for cell in {*moves, *reads, *sums}:
        since, value = max(reads[cell], default=(None, None))
        moved = sum(quantity for at, quantity in moves[cell] if since is None or at >= since)
        yield (*cell, (value or 0) + moved, value, since, *sums[cell])


def _promises(events: list[Any]) -> Iterator[Row]:
    """What moved committed, unavailable or incoming, one by one."""
    for _, name, event in events:
        row = (event["meta"]["event_id"], event.get("sku"), event.get("location_id"))
        at, quantity = event["meta"]["occurred_at"], event.get("quantity", 0)
        if name == "PurchaseReturned":
            for line in event["lines"]:
                if line["disposition"] != "BACK_IN_STOCK":
                    yield row[0], line["sku"], row[2], at, 0, line["quantity"], 0
        elif name in STOCK and STOCK[name][1]:
            yield *row, at, STOCK[name][1] * quantity, 0, 0
        elif name == "StockStateChanged":
            good = [event[when] == "SELLABLE" for when in ("from_state", "to_state")]
            yield *row, at, 0, (good[0] - good[1]) * quantity, 0
        elif name in ("TransferShipped", "TransferReceived"):
            came = quantity if name == "TransferShipped" else -quantity - event["discrepancy"]
            yield row[0], row[1], event["to_location_id"], at, 0, 0, came


def _versions(events: list[Any], keys: tuple[str, ...], values: tuple[str, ...]) -> Iterable[Row]:
    """One row a key and time of validity; each value from whoever said it last."""
    said: dict[Row, list[Any]] = defaultdict(list)
    for event in events:
        said[(*(event[key] for key in keys), event["valid_from"])].append(event)
    for key, versions in said.items():
        last = max(one["meta"]["occurred_at"] for one in versions)
        of_then = [one for one in versions if one["meta"]["occurred_at"] == last]
        yield (*key, last, *(_greatest(one[name] for one in of_then) for name in values))


def _greatest(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)


def _scope(event: Any) -> str:
    if event["sku"] is not None:
        return f"sku:{event['sku']}"
    return "default" if event["category"] is None else "category:" + event["category"]


def _owner(event: Any) -> bytes:
    owner = event["profile_id"] or event["transaction_id"]
    assert isinstance(owner, bytes)
    return owner


def _bought(event: Any) -> Row:
    lines = event["lines"]
    return (
        event["meta"]["event_id"], _owner(event), event["transaction_id"],
        event["meta"]["occurred_at"], event["meta"]["producer"]["channel"], event["location_id"],
        event["total"], tuple(line["line_no"] for line in lines),
        tuple(line["sku"] for line in lines),
        tuple(line["quantity"] for line in lines),
        tuple(line["line_no"] for line in lines if line["is_gift"]),
        tuple(line["net_paid"] for line in lines),
        sum(one["amount"] for one in event["tenders"] if one["kind"] == "POINTS"),
    )  # fmt: skip


def _back(event: Any) -> Row:
    lines = event["lines"]
    return (
        event["meta"]["event_id"], _owner(event), event["transaction_id"],
        event["meta"]["occurred_at"], tuple(line["line_no"] for line in lines),
        tuple(line["quantity"] for line in lines),
    )  # fmt: skip


def _claims(events: list[Any]) -> Iterator[Row]:
    last: dict[tuple[bytes, bytes], tuple[int, str]] = {}
    for event in events:
        key = (event["profile_id"], event["transaction_id"])
        said = (event["meta"]["occurred_at"], event["points_treatment"])
        last[key] = max(said, last.get(key, said))
    for key, said in last.items():
        yield (*key, *said)
