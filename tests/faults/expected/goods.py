"""Stock, the catalogue, and what was bought: from purchases, inventory, catalog and settings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import UUID, uuid5

from tests.faults.expected import deliveries, orders, sales, zones
from tests.faults.expected.orders import Dated, Entry, Move
from tests.faults.expected.zones import Count

CODES = UUID("7d27523a-4c5a-5a08-8df4-36a6f0930cd4")

Row = tuple[Any, ...]
ORDER = {
    # name: what it says about the order
    "StockAllocated": "allocated",
    "ReservationCommitted": "reserved",
    "AllocationReleased": "released",
    "StockShipped": "shipped",
    "OrderLineHandedOver": "shipped",
}
MISFITS = ("over_return", "unknown_sale", "unknown_line")
OF_SALES = {sales.SALE, *sales.CORRECTIONS}


def tables(events: list[Any]) -> dict[str, Iterable[Row]]:
    named: dict[str, list[Any]] = defaultdict(list)
    for _, name, event in events:
        named[name].append(event)
    documents: dict[bytes, list[tuple[str, Any]]] = defaultdict(list)
    for _, name, event in events:
        if name in OF_SALES:
            documents[event["transaction_id"]].append((name, event))
        elif name == "DiscrepancySettled" and event["kind"] in MISFITS and event["subject_id"]:
            documents[event["subject_id"]].append((name, event))
    followed = {one: sales.followed(one, told) for one, told in documents.items()}
    entries, transfers = list(_of_orders(events)), list(_of_transfers(events))
    for sale in followed.values():
        entries += sale.entries
    moves, odd = _moved(entries, transfers)
    moves += [move for sale in followed.values() for move in sale.moves]
    moves += _alone(events)
    papers = deliveries.papers(events)
    settled = deliveries.decisions(events)
    arriving = [deliveries.followed(said, settled[one]) for one, said in papers.items()]
    moves += [move for delivery in arriving for move in delivery.moves]
    undecided = [(*one[:-1], None, one[-1]) for one in odd]
    selling_zones = list(zones.selling_zones(named["LocationDescribed"]))
    return {
        "stock_cell": list(_cells(moves, named["StockCounted"], selling_zones)),
        "stock_count": [
            (one["meta"]["event_id"], one["sku"], one["location_id"], one["counted_at"],
             one["quantity"], one["zone"])
            for one in named["StockCounted"]
        ],
        "stock_selling_zone": selling_zones,
        "stock_promise": list(_promises(moves)),
        "stock_order": {(entry.subject,) for entry in entries},
        "stock_order_code": list(_declared_codes(named["ItemDescribed"])),
        "sale_code": list(_declared_codes(named["ItemDescribed"])),
        "stock_transfer": list(_told([(one.subject, one.event_id) for one in transfers], settled)),
        "stock_delivery": list(_told(
            [(paper.subject, paper.event_id) for said in papers.values() for paper in said],
            settled,
        )),
        **_dated(entries, arriving),
        "stock_discrepancy": _summed(
            [*undecided, *(one for delivery in arriving for one in delivery.discrepancies)]
        ),
        **_catalogue(named),
        "sale": [_sale(one, told) for one, told in documents.items()],
        "purchase_discrepancy": _summed(
            one for sale in followed.values() for one in sale.discrepancies
        ),
        "purchase_claim": list(_claims(events)),
        "purchase_claim_told": [
            (one["meta"]["event_id"], one["meta"]["occurred_at"], one["transaction_id"],
             one["profile_id"])
            for one in named["PurchaseAttributed"]
        ],
        "discrepancy_settlement": _settled(named["DiscrepancySettled"]),
    }  # fmt: skip


def _catalogue(named: dict[str, list[Any]]) -> dict[str, Iterable[Row]]:
    return {
        "item": _versions(named["ItemDescribed"], ("sku",), ("name", "category")),
        "item_code": _item_codes(named["ItemDescribed"]),
        "location": _versions(named["LocationDescribed"], ("location_id",), ("kind", "name")),
        "stock_policy": _versions(
            [{**one, "sku": one["sku"] or ""} for one in named["StockPolicySet"]],
            ("location_id", "sku"), ("safety_stock", "store_share", "company_threshold"),
        ),
        "need_policy": _versions(
            [{**one, "scope": _scope(one)} for one in named["NeedPolicySet"]],
            ("scope",), ("kind", "reach", "interval_days"),
        ),
    }  # fmt: skip


def _item_codes(described: list[Any]) -> Iterable[Row]:
    """A barcode is one with zeros before it, in 8, 12, 13 or 14 digits; it is found by itself and
    by its item.
    """
    latest: dict[tuple[str, str, str, int], int] = {}
    for one in described:
        for barcode in one.get("barcodes", ()):
            bare = barcode.lstrip("0")
            for code in (bare.zfill(digits) for digits in (8, 12, 13, 14) if len(bare) <= digits):
                for node in (code, one["sku"]):
                    key = (node, code, one["sku"], one["valid_from"])
                    latest[key] = max(latest.get(key, 0), one["meta"]["occurred_at"])
    return [(*key, at) for key, at in latest.items()]


def _declared_codes(described: list[Any]) -> Iterable[Row]:
    """The declarations of each barcode, under the id of its 14 digits."""
    declared: dict[bytes, set[str]] = defaultdict(set)
    for one in described:
        for barcode in one.get("barcodes", ()):
            code_id = uuid5(CODES, barcode.zfill(14)).bytes
            declared[code_id].add(one["meta"]["event_id"].hex())
    return [(code_id, tuple(sorted(names))) for code_id, names in declared.items()]


def _of_orders(events: list[Any]) -> Iterator[Entry]:
    for _, name, event in events:
        if name in ORDER:
            at, event_id = sales.when(event)
            yield Entry(
                event["order_id"], at, event_id, ORDER[name], event["sku"], event["location_id"],
                event["quantity"],
            )  # fmt: skip


def _of_transfers(events: list[Any]) -> Iterator[Entry]:
    for _, name, event in events:
        if not name.startswith("Transfer"):
            continue
        ends = {"arrived": "to"}
        if name == "TransferShipped":
            ends = {"sent from": "from", "sent to": "to"}
        for kind, end in ends.items():
            yield Entry(
                event["transfer_id"], *sales.when(event), kind, event["sku"],
                event[f"{end}_location_id"], event["quantity"], event.get("discrepancy", 0),
            )  # fmt: skip


def _moved(
    of_orders: list[Entry], of_transfers: list[Entry]
) -> tuple[list[Move], list[orders.Discrepancy]]:
    """What orders and transfers move, and what does not fit them."""
    moves, odd = list[Move](), list[orders.Discrepancy]()
    for entries, judge in ((of_orders, orders.order), (of_transfers, orders.transfer)):
        for of_item in orders.by_subject_and_item(entries):
            more, odder = judge(of_item)
            moves += more
            odd += odder
    return moves, odd


def _dated(of_orders: list[Entry], arriving: list[deliveries.Followed]) -> dict[str, Iterable[Row]]:
    """Every change of units that are expected or promised for a time, and those of now."""
    changes = [one for delivery in arriving for one in delivery.dated]
    now = [one for delivery in arriving for one in delivery.waiting]
    for of_item in orders.by_subject_and_item(of_orders):
        changed, left = orders.preorders(of_item)
        changes += changed
        now += left
    return {
        "stock_expected": _by_when(lambda one: (one.sku, one.location, one.expected_at), now),
        "stock_expected_move": _by_when(
            lambda one: (one.sku, one.location, one.at, one.expected_at), changes
        ),
    }


def _by_when(keys: Callable[[Dated], Row], dated: list[Dated]) -> Iterator[Row]:
    """Units incoming and preordered, summed up by what the key says."""
    sums: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
    for one in dated:
        sums[keys(one)][0] += one.incoming
        sums[keys(one)][1] += one.preordered
    for key, units in sums.items():
        if any(units):
            yield (*key, *units)


def _alone(events: list[Any]) -> Iterator[Move]:
    """Moves that depend on nothing else."""
    for _, name, event in events:
        at = event["meta"]["occurred_at"]
        if name in ("StockReceived", "StockAdjusted"):
            yield Move(event["sku"], event["location_id"], at, on_hand=event["quantity"])
        elif name == "StockStateChanged":
            good = [event[when] == "SELLABLE" for when in ("from_state", "to_state")]
            units = (good[0] - good[1]) * event["quantity"]
            yield Move(event["sku"], event["location_id"], at, unavailable=units)


def _cells(moves: list[Move], counts: list[Any], selling_zones: list[Row]) -> Iterator[Row]:
    sold_from: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for location, valid_from, _, zone in selling_zones:
        sold_from[location].append((valid_from, zone))
    reads: dict[tuple[str, str], list[Count]] = defaultdict(list)
    on_hand: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for event in counts:
        cell = (event["sku"], event["location_id"])
        reads[cell].append(Count(event["counted_at"], event["quantity"], event["zone"]))
    for move in moves:
        cell = (move.sku, move.location)
        on_hand[cell].append((move.at, move.on_hand))
        for place, units in enumerate((move.committed, move.unavailable, move.incoming)):
            sums[cell][place] += units
    for cell in {*on_hand, *reads}:
        since, value = max(((one.at, one.units) for one in reads[cell]), default=(None, None))
        there = zones.on_hand(reads[cell], on_hand[cell], sold_from[cell[1]])
        row = (there, value, since, *sums[cell])
        if any(row):
            yield (*cell, *row)


def _promises(moves: list[Move]) -> Iterator[Row]:
    """What moved committed, unavailable or incoming of a cell at a time."""
    sums: dict[Row, list[int]] = defaultdict(lambda: [0, 0, 0])
    for move in moves:
        for place, units in enumerate((move.committed, move.unavailable, move.incoming)):
            sums[move.sku, move.location, move.at][place] += units
    for key, units in sums.items():
        if any(units):
            yield (*key, *units)


def _told(documents: list[tuple[bytes, bytes]], settled: dict[bytes, list[Any]]) -> Iterator[Row]:
    """The documents of each transfer or delivery, and decisions that name it."""
    found: dict[bytes, set[bytes]] = defaultdict(set)
    for subject, event_id in documents:
        found[subject].add(event_id)
    for subject, decisions in settled.items():
        found[subject] |= {event["meta"]["event_id"] for event in decisions}
    for subject, names in found.items():
        if names:
            yield subject, tuple(sorted(one.hex() for one in names))


def _summed(odd: Iterable[Row]) -> Iterator[Row]:
    """Units of a kind, at a time, of one subject, item and location; of no item there are none."""
    sums = Counter[Row]()
    for *key, units in odd:
        sums[tuple(key)] += units if key[3] else 0
    for known, units in sums.items():
        yield (*known, units)


def _sale(transaction_id: bytes, told: list[tuple[str, Any]]) -> Row:
    """Who bought and when, and the documents; a guest's sale is its own owner."""
    documents = tuple(sorted(event["meta"]["event_id"].hex() for _, event in told))
    own = sorted((event for name, event in told if name == sales.SALE), key=sales.when)
    if not own:
        return transaction_id, None, None, documents
    owner = own[0]["profile_id"] or transaction_id
    return transaction_id, owner, own[0]["meta"]["occurred_at"], documents


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


def _claims(events: list[Any]) -> Iterator[Row]:
    """The first claim of a sale in the log keeps it."""
    first: dict[bytes, tuple[Any, Any]] = {}
    for read, name, event in events:
        if name == "PurchaseAttributed":
            known = first.setdefault(event["transaction_id"], (read, event))
            if read.offset < known[0].offset:
                first[event["transaction_id"]] = (read, event)
    for transaction_id, (_, event) in first.items():
        at = event["meta"]["occurred_at"]
        yield transaction_id, event["profile_id"], at, event["points_treatment"]


def _settled(events: list[Any]) -> Iterator[Row]:
    """What was decided last about a discrepancy; of two at once the greater words."""
    said: dict[Row, list[Any]] = defaultdict(list)
    for event in events:
        if event["subject_id"] and event["resolution"] in ("DOCUMENT_RIGHT", "DOCUMENT_WRONG"):
            names = ("discrepancy_id", "kind", "subject_id")
            key = (*(event[name] for name in names), event["location_id"] or "")
            said[key].append(event)
    for one, decisions in said.items():
        last = max(event["meta"]["occurred_at"] for event in decisions)
        of_then = [event for event in decisions if event["meta"]["occurred_at"] == last]
        names = ("resolution", "actor", "reason_code")
        yield (*one, last, *(_greatest(event[name] for event in of_then) for name in names))
