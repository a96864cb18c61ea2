"""Drawn documents of a small shop, and a fold of them in batches as the projector does it. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import md5
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from projections import discover
from projections.core.documents import DerivedRows, DocumentSet, joined_documents
from projections.core.fold import Group
from projections.core.tables import Ledger, Table
from schemas.generated.events import (
    AllocationReleased,
    DiscrepancySettled,
    Event,
    InboundExpected,
    OrderLineCancelled,
    OrderLineHandedOver,
    PurchaseAmended,
    PurchaseAttributed,
    PurchaseCompleted,
    PurchaseReturned,
    PurchaseVoided,
    ReservationCommitted,
    StockAllocated,
    StockReceived,
    StockShipped,
    TransferReceived,
    TransferShipped,
)
from schemas.generated.events.parts import LineComponent, Meta, Producer, PurchaseLine, ReturnedLine
from tests.projections.saying import MINUTE, T0, named
from tests.projections.shop_model import Shop

GROUP = Group("main", discover())
ITEMS, PLACES = ("tea", "cup"), ("GINZA", "UMEDA")
WAYS = ("IMMEDIATE", "SHIP", "PICKUP")
FATES = ("BACK_IN_STOCK", "QUALITY_CONTROL", "NOT_RETURNED")
SALES, ORDERS, TRANSFERS = ("s1", "s2"), ("s1", "s2", "o"), ("t1",)
DAYS = tuple(T0 + days * 1_440 * MINUTE for days in (1, 3, 9))
PRODUCER = Producer(system="pos", channel="STORE")


def _line(draw: Any, number: int) -> PurchaseLine:
    sku = draw(st.sampled_from(ITEMS))
    parts = [LineComponent(sku="tea", quantity=1), LineComponent(sku="cup", quantity=2)]
    shape = draw(st.sampled_from(("plain", "plain", "plain", "plain", "set", "service")))
    quantity = draw(st.integers(1, 3))
    return PurchaseLine(
        line_no=number,
        sku={"set": "box", "service": "wrap"}.get(shape, sku),
        quantity=quantity,
        unit_price=100,
        net_paid=100 * quantity,
        fulfilment=draw(st.sampled_from(WAYS)),
        location_id=draw(st.sampled_from((None, None, *PLACES))),
        kind="SERVICE" if shape == "service" else "GOODS",
        components=parts if shape == "set" else [],
        expected_at=draw(st.sampled_from((None, None, None, *DAYS[:2]))),
    )


def _lines(draw: Any) -> list[PurchaseLine]:
    return [_line(draw, number + 1) for number in range(draw(st.integers(1, 2)))]


def _returned(draw: Any, number: int) -> ReturnedLine:
    return ReturnedLine(
        line_no=draw(st.integers(1, 2)), sku=draw(st.sampled_from((*ITEMS, "box", "wrap"))),
        quantity=draw(st.integers(1, 2)), refund=100, disposition=draw(st.sampled_from(FATES)),
    )  # fmt: skip


class Facts:
    """Draws the documents of one history; ids follow the order in which they are drawn."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.number, self.told = draw, 0, set[str]()

    def pick(self, values: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(values))

    def meta(self) -> Meta:
        self.number += 1
        return Meta(
            event_id=UUID(int=self.number).bytes, producer=PRODUCER,
            occurred_at=T0 + self.draw(st.integers(0, 4)) * MINUTE,
        )  # fmt: skip

    def sale(self) -> Event | None:
        left = [name for name in SALES if name not in self.told]
        if not left:
            return None
        self.told.add(left[0])
        order, lines = self.pick((None, None, *ORDERS)), _lines(self.draw)
        return PurchaseCompleted(
            meta=self.meta(), transaction_id=named(left[0]), location_id=self.pick(PLACES),
            currency="JPY", total=sum(one.net_paid for one in lines), lines=lines,
            profile_id=self.pick((None, named("hanako"))),
            order_id=None if order is None else named(order),
        )  # fmt: skip

    def _sale(self) -> dict[str, Any]:
        return {
            "meta": self.meta(), "transaction_id": named(self.pick(SALES)),
            "location_id": self.pick(PLACES), "currency": "JPY",
        }  # fmt: skip

    def back(self) -> Event:
        lines = [_returned(self.draw, 0) for _ in range(self.draw(st.integers(1, 2)))]
        return PurchaseReturned(**self._sale(), total=100, lines=lines)

    def void(self) -> Event:
        return PurchaseVoided(**self._sale(), total=0, lines=[], reason="wrong")

    def cancel(self) -> Event:
        own = self._sale()
        return OrderLineCancelled(
            **own, order_id=own["transaction_id"], line_no=self.draw(st.integers(1, 2)),
            sku=self.pick((None, *ITEMS)), quantity=self.draw(st.integers(1, 2)),
        )  # fmt: skip

    def amendment(self) -> Event:
        own, lines = self._sale(), _lines(self.draw)
        return PurchaseAmended(**own, total=sum(one.net_paid for one in lines), lines=lines)

    def claim(self) -> Event:
        return PurchaseAttributed(
            meta=self.meta(), transaction_id=named(self.pick(SALES)),
            profile_id=named(self.pick(("hanako", "taro"))),
        )  # fmt: skip

    def receipt(self) -> Event:
        named: dict[str, Any] = {"reference": self.pick((None, "po", " po "))}
        if self.draw(st.booleans()) and "note" not in self.told:
            self.told.add("note")  # a second one of this name would not be folded
            named |= {"document_id": "po", "document_line": self.pick((None, 1, 2))}
        return StockReceived(
            meta=self.meta(), sku=self.pick(ITEMS), location_id=self.pick((*PLACES, "KYOTO")),
            quantity=5, **named,
        )  # fmt: skip

    def announcement(self) -> Event:
        return InboundExpected(
            meta=self.meta(), sku=self.pick(ITEMS), location_id=self.pick(PLACES),
            quantity=self.pick((0, 2, 4, 7)), expected_at=self.pick(DAYS), document_id="po",
            document_line=self.pick((None, 1, 2)),
        )  # fmt: skip

    def _line_of_order(self) -> dict[str, Any]:
        return {
            "meta": self.meta(), "sku": self.pick(ITEMS), "location_id": self.pick(PLACES),
            "order_id": named(self.pick(ORDERS)), "line_no": 1,
            "quantity": self.draw(st.integers(1, 3)),
        }  # fmt: skip

    def allocation(self) -> Event:
        return StockAllocated(**self._line_of_order())

    def release(self) -> Event:
        return AllocationReleased(**self._line_of_order())

    def shipment(self) -> Event:
        return StockShipped(**self._line_of_order())

    def hand_over(self) -> Event:
        return OrderLineHandedOver(**self._line_of_order())

    def reservation(self) -> Event:
        line = self._line_of_order()
        del line["line_no"]
        return ReservationCommitted(**line, reservation_id=line["meta"].event_id)

    def _transfer(self) -> dict[str, Any]:
        return {
            "meta": self.meta(), "transfer_id": named(self.pick(TRANSFERS)),
            "sku": self.pick(ITEMS), "from_location_id": "GINZA",
            "quantity": self.draw(st.integers(1, 4)),
        }  # fmt: skip

    def transfer(self) -> Event:
        if self.draw(st.booleans()):
            return TransferShipped(**self._transfer(), to_location_id="UMEDA")
        return TransferReceived(
            **self._transfer(), to_location_id=self.pick(("UMEDA", "UMEDA", "KYOTO")),
            discrepancy=self.pick((0, 0, 0, 1, -1)),
        )  # fmt: skip

    def decision(self, misfits: Sequence[Any]) -> Event:
        """Somebody decides about something that does not fit; seldom the subject is wrong."""
        kind, subject, sku, document, where = self.pick(misfits)
        text = f"{kind}|{UUID(bytes=document)}|{sku}|{where}"
        return DiscrepancySettled(
            meta=self.meta(), kind=kind, actor="auditor",
            discrepancy_id=md5(text.encode()).digest(),
            subject_id=self.pick((*[subject] * 5, named("another"), None)),
            location_id=self.pick((None, None, where, where, "elsewhere")),
            resolution=self.pick((*["DOCUMENT_RIGHT", "DOCUMENT_WRONG"] * 4, "UNCLEAR")),
        )  # fmt: skip


OF_SALES = ("back", "void", "cancel", "amendment", "claim")
OF_STOCK = ("allocation", "release", "shipment", "hand_over", "reservation", "transfer",
            "announcement")  # fmt: skip
KINDS = ("back", "void", "cancel", "amendment", "allocation", "release", "shipment", "hand_over",
         "transfer", "claim", "announcement", "receipt")  # fmt: skip


@st.composite
def histories(draw: Any, kind: str | None = None, most: int = 7) -> list[Event]:
    """The documents of a small shop; at least two of a kind, if it is named. People decide about
    some of what does not fit.
    """
    facts = Facts(draw)
    told = [facts.sale()]
    kinds = st.lists(st.sampled_from(("sale", "receipt", *OF_SALES, *OF_STOCK)), max_size=most)
    for name in ([kind] * 2 if kind else []) + draw(kinds):
        told.append(getattr(facts, name)())
    events = [event for event in told if event is not None]
    odd = sorted(key for key in Shop(events).misfits if key[0] != "second_claim")
    for _ in range(draw(st.integers(0, 2)) if odd else 0):
        events.append(facts.decision(odd))
    return events


@st.composite
def settled_preorders(draw: Any) -> list[Event]:
    """Documents of one order of two items that are preordered; of one of them more leaves or ends
    than was ordered. People decide about that.
    """
    facts = Facts(draw)
    sale = facts.sale()
    assert isinstance(sale, PurchaseCompleted)
    first = replace(sale.lines[0], sku="tea", components=[], kind="GOODS", expected_at=DAYS[0])
    other = replace(first, line_no=2, sku="cup")
    total = first.net_paid + other.net_paid
    sale = replace(sale, order_id=None, lines=[first, other], total=total)
    events: list[Event] = [sale]
    of_stock = ("shipment", "release", "hand_over", "allocation")
    names = st.lists(st.sampled_from((*of_stock, "back", "cancel", "announcement")), max_size=3)
    for name in (facts.pick(of_stock[:3]), *draw(names)):
        event = getattr(facts, name)()
        if name in of_stock:
            event = replace(event, order_id=sale.transaction_id, sku="tea")
        events.append(event)
    events[1] = replace(events[1], quantity=first.quantity + 1)
    odd = sorted(key for key in Shop(events).misfits if key[2] == "tea")
    for _ in range(draw(st.integers(1, 2)) if odd else 0):
        events.append(facts.decision(odd))
    return events


class Folds:
    """Rows of the projections, folded batch by batch: a set's change moves only the difference."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Any, list[Any]]] = defaultdict(dict)
        self.ledgers: dict[str, Counter[Any]] = defaultdict(Counter)
        self.sets: dict[DocumentSet, dict[Any, dict[str, Any]]] = defaultdict(dict)

    def take(self, events: Iterable[Event]) -> Folds:
        """One batch."""
        into, waiting = DerivedRows(), DerivedRows()
        for event in events:
            for _, handler in GROUP.handlers.get(type(event), ()):
                for table, key, values in handler(event):
                    self._row(event, into, waiting, table, key, values)
        # once more for answers to sets that were folded before what they ask
        for source in 2 * GROUP.document_sets:
            for key, documents in waiting.documents.pop(source, {}).items():
                old = self.sets[source].get(key)
                new = joined_documents(old or {}, documents)
                self.sets[source][key] = new
                if not new:
                    del self.sets[source][key]
                    if not self.sets[source]:
                        del self.sets[source]
                step = DerivedRows()
                GROUP.derivations.change(source, key, old, new, step)
                self._apply(step)
                for other, sets in step.documents.items():
                    for own, more in sets.items():
                        waiting.documents.setdefault(other, {}).setdefault(own, {}).update(more)
        self._apply(into)
        return self

    def _row(
        self, event: Any, into: DerivedRows, waiting: DerivedRows, table: Any, key: Any, values: Any
    ) -> None:
        name = event.meta.event_id
        if isinstance(table, DocumentSet):
            held = waiting.documents.setdefault(table, {}).setdefault(key, {})
            held[name.hex()] = values[0]
        elif isinstance(table, Ledger):
            into.appended.setdefault(table, []).append((name, 0, *values))
        elif isinstance(table, Table) and not table.by_partition:
            table.fold(into.rows.setdefault(table, {}), key, values)
            changes = GROUP.changes.get(table)
            if changes is not None and values[table.level or 0][1] is not None:
                delta, at, _, _ = values[table.level or 0]
                into.appended.setdefault(changes, []).append((name, 0, *key, at, delta))

    def _apply(self, step: DerivedRows) -> None:
        for table, rows in step.rows.items():
            for key, values in rows.items():
                table.fold(self.rows[table.name], key, list(values))
        for ledger, gone in step.deleted.items():
            self.ledgers[ledger.name].subtract(gone)
            assert min(self.ledgers[ledger.name].values()) >= 0, "deleted what was not there"
        for ledger, more in step.appended.items():
            self.ledgers[ledger.name].update(more)
