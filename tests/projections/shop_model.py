"""A plain model of a shop: it walks documents one by one and moves single units.

Written from the texts about documents and stock, not from the projections, and with none of their
code. A sold unit is an object with a state; an order and a transfer are lists of single units.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from hashlib import md5
from typing import Any
from uuid import UUID

from tests.projections.shop_deliveries import Delivery, documents_of, preordered, subject_of

Entry = tuple[tuple[int, bytes], str, str, int]
"""Of an order: ((time, document), what happened, location, time for which it is promised or 0), for
one unit of one item.
"""
LEFT = ("StockShipped", "OrderLineHandedOver")


class Unit:
    """One sold unit of a line: what leaves for it (item, location), how, and what became of it."""

    def __init__(self, line: Any, sale: Any) -> None:
        own = line.location_id or sale.location_id
        self.line_no, self.sku, self.state = line.line_no, line.sku, "sold"
        self.sent = line.fulfilment in ("SHIP", "PICKUP")
        self.order, self.date = sale.order_id or sale.transaction_id, line.expected_at or 0
        self.sent = self.sent or self.date > 0
        self.till = not self.sent and self.order != sale.transaction_id
        self.parts = [(p.sku, p.location_id or own) for p in line.components
                      for _ in range(p.quantity)] or [(line.sku, own)]  # fmt: skip
        self.parts = self.parts if line.kind == "GOODS" else []

    @property
    def same(self) -> Any:
        return (self.sent, self.date, self.parts)

    def become(self, other: Unit) -> None:
        self.sent, self.till, self.parts = other.sent, other.till, other.parts
        self.date = other.date


class Shop:
    """What the documents until a time say; decisions are those of all documents.

    `cells`: (item, location) -> Counter of on_hand, committed, unavailable, incoming.
    `dated`: (item, location, time) -> Counter of incoming, preordered.
    `sold`: (transaction, line, item) -> units that are still sold.
    `odd`: (kind, transaction, order, transfer or delivery, item) -> units, settled or not; `open`:
    without those that are settled; `misfits`: both by document. `owner`: by transaction.
    """

    def __init__(self, events: Iterable[Any], until: int | None = None) -> None:
        self.until, self.cells = until, defaultdict(Counter)
        self.odd: Counter[Any] = Counter()
        self.open: Counter[Any] = Counter()
        self.misfits: Counter[Any] = Counter()
        self.said: dict[Any, tuple[int, str]] = {}
        self.sold: Counter[Any] = Counter()
        self.dated: dict[Any, Counter[str]] = defaultdict(Counter)
        deliveries: dict[Any, list[Any]] = defaultdict(list)
        self.orders: dict[Any, list[Entry]] = defaultdict(list)
        self.units: dict[Any, list[Unit]] = defaultdict(list)
        sales, transfers, self.owner = defaultdict(list), defaultdict(list), {}
        log = list(events)
        for event in log:
            if type(event).__name__ == "DiscrepancySettled":
                self._decision(event)
        for event in log:
            name, at = type(event).__name__, (event.meta.occurred_at, event.meta.event_id)
            if name == "StockReceived":
                self._move(at[0], event.sku, event.location_id, "on_hand", event.quantity)
                for document in documents_of(event):
                    deliveries[document, event.sku].append(event)
            elif name == "InboundExpected":
                deliveries[event.document_id, event.sku].append(event)
            elif name.startswith("Transfer"):
                transfers[event.transfer_id, event.sku].append(event)
            elif name.startswith(("Stock", "Alloc", "OrderLineHanded", "Reservation")):
                what = "left" if name in LEFT else name
                entry = (at, what, event.location_id, 0)
                self.orders[event.order_id, event.sku] += [entry] * event.quantity
            elif name not in ("PurchaseAttributed", "DiscrepancySettled"):
                sales[event.transaction_id].append(event)
        for transaction, own in sales.items():
            self._sale(transaction, own)
        for (order, sku), entries in self.orders.items():
            self._order(order, sku, sorted(entries, key=lambda entry: entry[:2]))
        for (name, sku), own in transfers.items():
            self._transfer(name, sku, own)
        for (document, sku), own in deliveries.items():
            self._delivery(document, sku, own)
        for event in log:
            if type(event).__name__ == "PurchaseAttributed":
                self._claim(event)

    def _decision(self, event: Any) -> None:
        """The latest decision about a discrepancy of a subject counts."""
        if not event.resolution.startswith("DOCUMENT_"):
            return
        about = (event.kind, event.subject_id, event.discrepancy_id, event.location_id)
        made = (event.meta.occurred_at, event.resolution)
        self.said[about] = max(self.said.get(about, made), made)

    def _odd(
        self, kind: str, subject: bytes, sku: str, document: bytes, where: str, units: int = 1
    ) -> str:  # fmt: skip
        """Something does not fit. Returns what people said: "right", "wrong" or ""."""
        self.odd[kind, subject, sku] += units
        self.misfits[kind, subject, sku, document, where] += units
        text = f"{kind}|{UUID(bytes=document)}|{sku}|{where}"
        name = md5(text.encode()).digest()
        made = [self.said.get((kind, subject, name, place)) for place in (None, where)]
        said = max(filter(None, made), default=None)
        self.open[kind, subject, sku] += 0 if said else units
        self.decided_at = said[0] if said else 0
        return {"DOCUMENT_RIGHT": "right", "DOCUMENT_WRONG": "wrong"}[said[1]] if said else ""

    def _move(self, at: int, sku: str, where: str, column: str, units: int) -> None:
        if self.until is None or at <= self.until:
            self.cells[sku, where][column] += units

    # -- a sale ------------------------------------------------------------------------------

    def _sale(self, name: bytes, own: list[Any]) -> None:
        sale = next((e for e in own if type(e).__name__ == "PurchaseCompleted"), None)
        own.sort(key=lambda e: (e is not sale, type(e).__name__ == "PurchaseVoided",
                                e.meta.occurred_at, e.meta.event_id))  # fmt: skip
        units: list[Unit] = []
        if sale is not None:
            self.owner[name] = sale.profile_id
        for event in own:
            at = (event.meta.occurred_at, event.meta.event_id)
            kind = type(event).__name__
            if kind in ("PurchaseCompleted", "PurchaseAmended"):
                if sale is None:
                    self._odd("unknown_sale", name, "", at[1], event.location_id)
                    continue
                self.place = event.location_id
                units = self._amended(name, units, sale, event.lines, at)
                self.units[name] += [unit for unit in units if unit not in self.units[name]]
            elif kind == "PurchaseVoided":
                for unit in units:
                    if not self._undone(unit, at):
                        self._odd("over_return", name, unit.sku, at[1], event.location_id)
                if sale is None:
                    self._odd("unknown_sale", name, "", at[1], event.location_id)
            else:
                lines = event.lines if kind == "PurchaseReturned" else [event]
                for line in lines:
                    self._corrected(name, units, event, line, at, sale is not None)
        for unit in units:
            self.sold[name, unit.line_no, unit.sku] += unit.state == "sold"

    def _amended(
        self, name: bytes, units: list[Unit], sale: Any, lines: Any, at: Any
    ) -> list[Unit]:
        """The units as they are from then on: an amended line counts units that are gone, too."""
        kept: list[Unit] = []
        for line in lines:
            new = Unit(line, sale)
            old = [u for u in units if (u.line_no, u.sku) == (line.line_no, line.sku)]
            while len(old) > line.quantity:
                sold = next((unit for unit in old if unit.state == "sold"), None)
                if sold is None:
                    many = len(old) - line.quantity
                    self._odd("over_return", name, line.sku, at[1], self.place, many)
                    break
                old.remove(sold)
                self._undone(sold, at)
            for unit in [u for u in old if u.state == "sold" and u.same != new.same]:
                self._leaves(unit, at, 1)
                unit.become(new)
                self._leaves(unit, at, -1)
            while len(old) < line.quantity:
                old.append(Unit(line, sale))
                self._leaves(old[-1], at, -1)
            kept += old
        numbers = {(line.line_no, line.sku) for line in lines}
        for unit in units:
            if (unit.line_no, unit.sku) in numbers or self._undone(unit, at):
                continue
            kept.append(unit)
        return kept

    def _leaves(self, unit: Unit, at: Any, sign: int) -> None:
        for sku, where in unit.parts:
            if unit.sent:
                what = "placed" if sign < 0 else "cancelled"
                self.orders[unit.order, sku].append((at, what, where, unit.date))
            elif unit.till:
                what = "till" if sign < 0 else "untill"
                self.orders[unit.order, sku].append((at, what, where, 0))
            else:
                self._move(at[0], sku, where, "on_hand", sign)

    def _undone(self, unit: Unit, at: Any) -> bool:
        if unit.state == "sold":
            unit.state = "undone"
            self._leaves(unit, at, 1)
            return True
        return False

    def _corrected(
        self, name: bytes, units: list[Unit], event: Any, line: Any, at: Any, known: bool
    ) -> None:
        """A return or a cancel of some units of a line."""
        back = hasattr(line, "disposition")
        fit = not back or line.disposition == "BACK_IN_STOCK"
        mine = [u for u in units if u.line_no == line.line_no and line.sku in (None, u.sku)]
        mine = mine or [u for u in units if u.sku == line.sku]
        sold = [unit for unit in mine if unit.state == "sold"]
        mine = mine or [unit for unit in self.units[name] if unit.sku == line.sku]
        for _ in range(line.quantity):
            unit, said = sold.pop(0) if sold else None, ""
            if unit is None:
                kind = "over_return" if mine else "unknown_line"
                kind = kind if known else "unknown_sale"
                sku = line.sku or (mine[0].sku if mine else "")
                said = self._odd(kind, name, sku, at[1], event.location_id)
            elif not back:
                self._undone(unit, at)
            else:
                unit.state = "back"
            if back and line.disposition != "NOT_RETURNED" and said != "wrong":
                parts = mine[0].parts if mine else [(line.sku, "")]
                for sku, where in unit.parts if unit else parts:
                    self._move(at[0], sku, event.location_id, "on_hand", 1)
                    if unit is None or not fit:
                        self._move(at[0], sku, event.location_id, "unavailable", 1)
                    if said == "right" and fit:
                        then = max(at[0], self.decided_at)
                        self._move(then, sku, event.location_id, "unavailable", -1)
                    if unit is not None and unit.sent:
                        self.orders[unit.order, sku].append((at, "back", where, 0))

    def _claim(self, event: Any) -> None:
        if self.owner.get(event.transaction_id) is not None:
            if self.owner[event.transaction_id] != event.profile_id:
                name = event.transaction_id
                self._odd("second_claim", name, "", event.meta.event_id, "")
            return
        self.owner[event.transaction_id] = event.profile_id

    # -- an order and a transfer ---------------------------------------------------------------

    def _order(self, order: bytes, sku: str, entries: list[Entry]) -> None:
        """Units of one item of one order, as far as they are told until then."""
        entries = [one for one in entries if self.until is None or one[0][0] <= self.until]
        by: dict[str, Counter[str]] = defaultdict(Counter)
        for _, what, where, _ in entries:
            by[what][where] += 1
        promised = by["StockAllocated"] | by["ReservationCommitted"]
        ordered = max(by["placed"].total(), promised.total())
        bare, cover = by["placed"] - promised, (promised - by["placed"]).total()
        held = promised + Counter(sorted(bare.elements())[cover:])
        out, released, cancelled = by["left"], by["AllocationReleased"], by["cancelled"]
        ended = max(cancelled.total(), released.total())
        tills = _standing(entries, by["untill"])
        rung = [where for _, where in tills]
        open_ = max(0, ordered - out.total() - ended)
        handed = Counter(rung[:open_])
        doubled = min(len(tills) - handed.total(), out.total())
        for where in [*out.elements(), *rung[: len(tills) - doubled]]:
            self.cells[sku, where]["on_hand"] -= 1
        more = max(0, cancelled.total() - released.total())
        ends = out + handed + released
        ends += Counter(sorted((cancelled - released).elements())[:more])
        elsewhere = (ends - held).total()
        promised_still = sorted((held - ends).elements())[elsewhere:]
        # units that came back have left before; nobody told of these that they did
        gone = out.total() + len(tills) - doubled
        unseen = [where for _, what, where, _ in entries if what == "back"][gone:]
        promised_still.sort(key=lambda place: (place not in unseen, place))
        first = min(len(unseen), len(promised_still))
        for where in [*promised_still[:first], *unseen[first:]]:
            self.cells[sku, where]["on_hand"] -= 1
        for where in promised_still[first:]:
            self.cells[sku, where]["committed"] += 1
        self._preordered(sku, entries, held - by["StockAllocated"], Counter(promised_still[first:]))
        for (_, document), where in tills[len(tills) - doubled :]:
            if self._odd("doubled_document", order, sku, document, where) == "right":
                self.cells[sku, where]["on_hand"] -= 1
        came = by["back"].total()
        self._too_many(order, sku, entries, ordered, min(len(tills), ordered - out.total()), gone,
                       max(gone, came))  # fmt: skip

    def _too_many(
        self, order: bytes, sku: str, entries: list[Entry], ordered: int, tills: int, told: int,
        gone: int,
    ) -> None:  # fmt: skip
        """Units that left or ended beyond what was ordered: those of the latest documents."""
        used, ends = 0, Counter[str]()
        for (_, document), what, where, _ in entries:
            most = max(ends.values(), default=0)
            if what in ("cancelled", "AllocationReleased"):
                ends[what] += 1
                if ends[what] <= most:
                    continue
            elif what == "till" and tills > 0 and used < ordered:
                tills -= 1
            elif what == "back" and told > 0:
                told -= 1
                continue
            elif what not in ("left", "back"):
                continue
            used += 1
            if used > ordered:
                left = what in ("left", "back")
                kind = "shipped_unordered" if left else "released_after_end"
                said = self._odd(kind, order, sku, document, where)
                if said == ("wrong" if left else "right") and (left or gone > 0):
                    self.cells[sku, where]["on_hand"] += 1
                    gone -= 1

    def _preordered(
        self, sku: str, entries: list[Entry], unallocated: Counter[str], waiting: Counter[str]
    ) -> None:
        """Units that the order holds for a time at which they are expected."""
        for where, units in waiting.items():
            asked = [date for _, what, at, date in entries if (what, at) == ("placed", where)]
            undone = [date for _, what, at, date in entries if (what, at) == ("cancelled", where)]
            for date in preordered(asked, undone, min(units, unallocated[where])):
                self.dated[sku, where, date]["preordered"] += 1

    def _delivery(self, document: str, sku: str, own: list[Any]) -> None:
        own = [e for e in own if self.until is None or e.meta.occurred_at <= self.until]
        delivery = Delivery(document, own)
        for kind, event, units, place in delivery.odd:
            at, where, name = event.meta.occurred_at, event.location_id, event.meta.event_id
            said = self._odd(kind, subject_of(document, sku), sku, name, where, units)
            if said == "wrong":
                self._move(at, sku, where, "on_hand", -units)
                self._move(at, sku, place, "on_hand", units if kind == "misrouted" else 0)
        for where, date in delivery.incoming:
            self.cells[sku, where]["incoming"] += 1
            self.dated[sku, where, date]["incoming"] += 1

    def _transfer(self, name: bytes, sku: str, own: list[Any]) -> None:
        own = [e for e in own if self.until is None or e.meta.occurred_at <= self.until]
        own.sort(key=lambda e: (e.meta.occurred_at, e.meta.event_id))
        sent = [e for e in own if type(e).__name__ == "TransferShipped"]
        arrived = [e for e in own if type(e).__name__ == "TransferReceived"]
        may = sum(e.quantity for e in sent)
        for event in sent:
            self._move(event.meta.occurred_at, sku, event.from_location_id, "on_hand",
                       -event.quantity)  # fmt: skip
        for event in arrived:
            at, where = event.meta.occurred_at, event.to_location_id
            over = max(0, event.quantity + event.discrepancy - may)
            may -= event.quantity + event.discrepancy - over
            counted = max(0, event.quantity - over) if sent else event.quantity
            self._move(at, sku, where, "on_hand", counted)
            self._received_oddly(event, sent, over, counted)
        if sent:
            came = sum(e.quantity + e.discrepancy for e in arrived)
            rest = sum(e.quantity for e in sent) - came
            self.cells[sku, sent[0].to_location_id]["incoming"] += max(0, rest)

    def _received_oddly(self, event: Any, sent: list[Any], over: int, counted: int) -> None:
        at, where, sku = event.meta.occurred_at, event.to_location_id, event.sku
        document = event.meta.event_id
        if over:
            said = self._odd("over_received", event.transfer_id, sku, document, where, over)
            if said == "right":
                self._move(at, sku, where, "on_hand", event.quantity - counted)
                self._move(at, sku, event.from_location_id, "on_hand", -over)
            elif said == "wrong" and not sent:
                self._move(at, sku, where, "on_hand", -event.quantity)
        if sent and counted and where not in {e.to_location_id for e in sent}:
            said = self._odd("misrouted", event.transfer_id, sku, document, where, counted)
            if said == "wrong":
                self._move(at, sku, where, "on_hand", -counted)
                self._move(at, sku, min(e.to_location_id for e in sent), "on_hand", counted)


def _standing(entries: list[Entry], undone: Counter[str]) -> list[tuple[Any, str]]:
    """Where units were rung up for an order, by time, without those that were undone later."""
    rest, standing = Counter(undone), list[tuple[Any, str]]()
    for at, what, where, _ in reversed(entries):
        if what == "till" and rest[where]:
            rest[where] -= 1
        elif what == "till":
            standing.insert(0, (at, where))
    return standing
