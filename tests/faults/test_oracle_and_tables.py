"""Does the oracle speak of everything that is kept, and does a run hold all of it?"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

import pytest

from projections import discover
from projections.core.fold import Group
from projections.core.memory import Memory
from projections.purchases.sale_state import settled
from schemas.wire import codec
from schemas.wire.effective import effective_event
from tests.faults import oracle, unstorable
from tests.faults.disorder import Append, Shares, log
from tests.faults.expected.goods import OF_SALES
from tests.faults.expected.sales import followed, still_sold
from tests.faults.reading import Read
from tests.faults.stored import DECLARED, NAMES_OF_DOCUMENTS, SELECTS, SHOWN
from tests.faults.wire import Record, Unreadable, Wire

GROUP = Group("main", discover())
# what moves a level is judged by the level; what the engine keeps of places is judged by a run
TOLD = [table for table in GROUP.tables if table not in GROUP.changes.values()]
FOLDED = [table for table in TOLD if table.name != "terminal_receipts"]
DOCUMENTS = "documents"
SUM = re.compile(r"sum\(.*?(\w+)(?: end)?\)::bigint")
MS = 1_780_000_000_000  # when the broker took everything
DOCUMENTS = "documents"
SUM = re.compile(r"sum\(.*?(\w+)(?: end)?\)::bigint")
KINDS = {
    "earned", "redeemed", "reversed", "reinstated", "adjusted", "expired", "transferred",
    "received", "opened",
}  # fmt: skip


@cache
def sent() -> list[tuple[Append, str, Record]]:
    """A small log as it was sent, without what is broken or was there before."""
    wire, seen, found = Wire(), set(), list[tuple[Append, str, Record]]()
    for append in log(31, 3_000, shares=Shares(doubled=0)).appends:
        try:
            name, record = wire.decode(append.value)
        except Unreadable:
            continue
        here = wire.topics[name] == append.topic and wire.key(name, record) == append.key
        here = here and not unstorable.refused(name, record)
        if here and record["meta"]["event_id"] not in seen:
            seen.add(record["meta"]["event_id"])
            found.append((append, name, record))
    return found


@cache
def told() -> dict[str, oracle.Rows]:
    return oracle.expected(
        (Read(append.topic, 0, offset, append.key, append.value, append.headers, MS), name, record)
        for offset, (append, name, record) in enumerate(sent())
    )


@cache
def folded() -> Memory:
    memory = Memory(GROUP)
    for append, _, _ in sent():
        memory.take(effective_event(codec.decode(append.value), append.headers, MS), 0)
    return memory


def test_every_table_is_compared_and_so_is_every_view() -> None:
    names = {table.name for table in TOLD}
    assert SELECTS.keys() == names | {"ledger"} == told().keys()
    assert SHOWN.keys() == {table.name for table in TOLD if table.view is not None}


def test_a_small_log_has_rows_for_every_table() -> None:
    assert [name for name, rows in told().items() if not rows] == []


@pytest.mark.parametrize("table", FOLDED, ids=lambda table: table.name)
def test_the_oracle_says_what_the_declarations_make_one_event_at_a_time(table: Any) -> None:
    rows = folded().table(table).values()
    assert _selected(SELECTS[table.name], list(rows)) == told()[table.name]


def test_of_every_line_as_many_units_are_still_sold_as_the_oracle_says() -> None:
    """What the documents of a sale hold is the product's own: so its own reading is compared."""
    documents: dict[bytes, list[tuple[str, Record]]] = {}
    for _, name, record in sent():
        if name in OF_SALES:
            documents.setdefault(record["transaction_id"], []).append((name, record))
    (table,) = (table for table in FOLDED if table.name == "sale")
    lines = {
        key[0]: [(sold.line.line_no, sold.line.sku, sold.open) for sold in whole.lines.values()]
        for key, row in folded().table(table).items()
        for whole in [settled(row["documents"])]
    }
    said = {key: list(still_sold(followed(key, told))) for key, told in documents.items()}
    assert lines == said
    assert any(left == 0 for own in said.values() for _, _, left in own)


@pytest.mark.parametrize("more", ["total", "net_paid", "tenders", ""])
def test_a_sale_that_does_not_come_to_its_total_is_a_discrepancy(more: str) -> None:
    """Such a sale comes first where its copy, which is right, was sent by another road."""
    wire = Wire()
    name, sale = next(
        (name, record)
        for _, name, record in sent()
        if name == "PurchaseCompleted" and record["tenders"]
    )
    first, *rest = sale["lines"]
    changes: dict[str, Any] = {
        "total": {"total": sale["total"] + 100},
        "net_paid": {"lines": [{**first, "net_paid": first["net_paid"] + 100}, *rest]},
        "tenders": {"tenders": [*sale["tenders"], {"kind": "CARD", "amount": 100}]},
        "": {},
    }
    record = {**sale, **changes[more]}
    key, value = wire.key(name, record), wire.encode(name, record)
    memory = Memory(GROUP)
    memory.take(effective_event(codec.decode(value), (), MS), 0)
    (table,) = (table for table in FOLDED if table.name == "purchase_discrepancy")
    rows = _selected(SELECTS[table.name], list(memory.table(table).values()))
    read = Read(wire.topics[name], 0, 0, key, value, (), MS)
    said = oracle.expected([(read, name, record)])[table.name]
    assert rows == said
    assert [row[0] for row in said] == (["sums"] if more else [])


def test_points_move_in_every_way() -> None:
    names = SELECTS["point_entry"].rpartition(" from ")[0].split(", ")
    rows = [dict(zip(names, row, strict=True)) for row in told()["point_entry"]]
    assert {row["kind"] for row in rows} == KINDS
    for name in names:
        assert any(row[name] for row in rows), f"{name} is never said"
    for kind in ("redeemed", "reversed", "reinstated"):
        lots = {row["lot_id"] is None for row in rows if row["kind"] == kind}
        assert lots == {True, False}, f"{kind}: with a lot, and without"
    assert any(row["number"] for row in rows if row["kind"] == "transferred")


def test_rules_are_said_again_for_the_same_time() -> None:
    said = sum(name == "ProgramRulesSet" for _, name, _ in sent())
    assert said > told()["program_rules"].total()


def _selected(select: str, rows: list[dict[str, Any]]) -> oracle.Rows:
    """What the statement answers over these rows: it may sum up, and name documents."""
    columns = select.replace(NAMES_OF_DOCUMENTS, DOCUMENTS).partition(" from ")[0].split(", ")
    keys = [name for name in columns if not name.startswith("sum(")]
    sums = [SUM.sub(r"\1", name) for name in columns[len(keys) :]]
    if DECLARED in select:  # codes that documents name, and nobody declared
        rows = [row for row in rows if any(one[0] == "declared" for one in row[DOCUMENTS].values())]
    elif " where " in select:  # cells of which nothing is told but zeros
        rows = [row for row in rows if any(row[name] for name in columns[2:])]
    found = Counter(tuple(_value(row, name) for name in keys) for row in rows)
    if not sums:
        return found
    totals = {
        key: tuple(sum(row[name] or 0 for row in rows_of if row["sku"]) for name in sums)
        for key, rows_of in _by(keys, rows).items()
    }
    return Counter(
        (*key, *total) for key, total in totals.items() if any(total) or " having " not in select
    )


def _by(keys: list[str], rows: list[dict[str, Any]]) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(_value(row, name) for name in keys), []).append(row)
    return groups


def _value(row: dict[str, Any], name: str) -> Any:
    if name == DOCUMENTS:
        return tuple(sorted(row[name]))
    return _plain(row[name])


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value
