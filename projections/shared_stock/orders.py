"""Which units does an order hold, and which have left for it? Pure.

An order's documents: entries of sales (`placed`: to be shipped or picked up; `cancelled`: no longer
so; `served`: handed out at a till that names the order; `unserved`: that was voided; `came back`:
returned units of a line to be sent), documents of stock (allocated, reserved, shipped or handed
over, released) and decisions of people. For each item of the order, and each unit in which it is
counted, by location, which of what is measured is a place (`schemas.measures`):

promised  = max(allocated, reserved), plus placed units that nothing of these covers, where their
            line says
committed = promised - shipped - released - cancelled, never below 0 at any location
preordered = of which placed or reserved for a time at which units are expected, and not allocated
on hand  -= shipped + served units, except units that were shipped already

Of several dates of a preorder the earliest leaves or ends first, and after what was to be sent at
once. Units that came back have left before: those beyond all that is told to have left count as
left, where the order still holds units, else where their line says. Units that are cancelled and
released are the same units. Units shipped or handed over always leave, because they are gone. All
sums are of the whole set, so order of arrival and the number of documents make no difference. What
a document commits is the difference between the sums up to it, in the order of (time, event id),
and the sums before it. On hand moves only where and when units left: a unit that a till doubled lay
on the shelf all the time, also for a count before the order was shipped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from projections.core.documents import Document, Documents
from projections.purchases.settlements import Decisions
from projections.shared_stock.moves import DatedMove, DatedUnits, Misfit, Move, dated_moves
from projections.shared_stock.order_steps import (
    ALLOCATED,
    CAME_BACK,
    CANCELLED,
    PLACED,
    RELEASED,
    RESERVED,
    SERVED,
    SHIPPED,
    UNSERVED,
    OrderStep,
)
from projections.shared_stock.ordered_items import ENTRIES, steps_by_item
from projections.shared_stock.plain_orders import plain_moves
from projections.shared_stock.settled_moves import settled_moves
from schemas.generated.events import (
    AllocationReleased,
    OrderLineHandedOver,
    ReservationCommitted,
    StockAllocated,
    StockShipped,
)
from schemas.measures import amount, place

MISFITS = {
    SHIPPED: "shipped_unordered",
    CAME_BACK: "shipped_unordered",
    RELEASED: "released_after_end",
    CANCELLED: "released_after_end",
}
StockDocument = (
    StockAllocated | ReservationCommitted | StockShipped | OrderLineHandedOver | AllocationReleased
)


def of_line(kind: str, event: StockDocument) -> Document:
    """[kind, at, sku, place, quantity]."""
    quantity, unit = amount(event.quantity, event.unit, event.scale)
    return [kind, event.meta.occurred_at, event.sku, place(event.location_id, unit), quantity]


def of_entries(entries: list[Document]) -> Document:
    """A sale's part: [kind, entries], an entry being [event id, at, kind, sku, place, units],
    and of a preorder also the time for which it is promised.
    """
    return [ENTRIES, entries]


def moves(
    documents: Documents,
) -> tuple[list[tuple[str, Move | DatedMove]], list[DatedUnits], list[Misfit]]:
    """The moves of each document, the preordered units, and the units that do not fit the order."""
    made: list[tuple[str, Move | DatedMove]] = []
    units: list[DatedUnits] = []
    misfits: list[Misfit] = []
    decisions = Decisions(documents)
    for (sku, _), steps in sorted(steps_by_item(documents).items()):
        steps.sort()
        plain = plain_moves(sku, steps)
        if plain is not None:
            made += plain
            continue
        sums, before = OrderedItem(), ItemState()
        for step in steps:
            sums.add(step)
            now = sums.state()
            made += ((step.document, move) for move in _committed(sku, step.at, before, now))
            before = now
        if before.dated:
            units += _preordered(sku, steps[-1].document, before.preordered)
        made += _left(sku, steps)
        odd = [decided(one, decisions) for one in _misfits(sku, steps, sums)]
        if any(misfit.resolution for misfit in odd):
            made += settled_moves(odd, sums.gone())
        misfits += odd
    return made, units, misfits


@dataclass(slots=True)
class ItemState:
    """Units of one item by location: held for the order, and changed on hand because of it.

    `committed`: held for the order. `preordered`: of those, by location and the time for which they
    are promised; `dated`: whether any were ever promised for a time. `on_hand`: the change on hand.
    `doubled`: units that tills rang up although they had been shipped.
    """

    dated: bool = False
    preordered: Counter[tuple[str, int]] = field(default_factory=Counter)
    committed: Counter[str] = field(default_factory=Counter)
    on_hand: Counter[str] = field(default_factory=Counter)
    doubled: int = 0


class OrderedItem:
    """Sums of an order's documents about one item."""

    def __init__(self) -> None:
        self._by_kind: dict[str, Counter[str]] = defaultdict(Counter)
        self._tills: list[OrderStep] = []
        self._back: list[OrderStep] = []
        self._dated: dict[str, Counter[tuple[str, int]]] = {}

    def add(self, step: OrderStep) -> None:
        """Adds one document's units; documents come in the order of (time, event id)."""
        self._by_kind[step.kind][step.location] += step.quantity
        if step.kind == SERVED:
            self._tills.append(step)
        elif step.kind == CAME_BACK:
            self._back.append(step)
        if step.expected_at is not None:
            kind = RESERVED if step.kind == RESERVED else PLACED
            units = -step.quantity if step.kind == CANCELLED else step.quantity
            dated = self._dated.setdefault(kind, Counter())
            dated[step.location, step.expected_at] += units

    def total(self, kind: str) -> int:
        """All units of a kind."""
        return self._by_kind[kind].total()

    @property
    def ended(self) -> int:
        """Units that need not be sent: cancelled and released units are the same ones."""
        return max(self.total(CANCELLED), self.total(RELEASED))

    @property
    def ordered(self) -> int:
        """All units that were ever placed or promised."""
        return max(self.total(PLACED), self._promised().total())

    def gone(self) -> int:
        """Units that left: shipped or handed over, at a till too, or known by having come back."""
        return max(self.told_gone(), self.total(CAME_BACK))

    def told_gone(self) -> int:
        """Units that left by what is told of their leaving."""
        shipped = self.total(SHIPPED)
        return shipped + self._served() - self._doubled() if self._tills else shipped

    def state(self) -> ItemState:
        """What the sums so far mean."""
        state = ItemState()
        shipped, released = self._by_kind[SHIPPED], self._by_kind[RELEASED]
        handed = Counter[str]()
        state.on_hand.subtract(shipped)
        if self._tills:
            handed, state.doubled = self._handed(), self._doubled()
            state.on_hand.subtract(_first(self._rung_up(), self._served() - state.doubled))
        cancelled = self._by_kind[CANCELLED]
        ends = shipped + released + handed
        ends += _first(sorted((cancelled - released).items()), cancelled.total() - released.total())
        held = self._held()
        elsewhere = (ends - held).total()
        state.committed = held - ends
        for location, units in sorted(state.committed.items()):
            less = min(elsewhere, units)
            state.committed[location] -= less
            elsewhere -= less
        if self._back:
            self._leave_unseen(state)
        if self._dated:
            state.dated, state.preordered = True, self._preordered(held, state.committed)
        return state

    def _leave_unseen(self, state: ItemState) -> None:
        """Takes units that came back and that nobody told to have left, the latest: held ones,
        first where their lines say, and of those that the order does not hold the latest.
        """
        latest = [(step.location, step.quantity) for step in reversed(self._back)]
        places = _first(latest, self.total(CAME_BACK) - self.told_gone())
        units = places.total()
        for location in sorted(state.committed, key=lambda place: (place not in places, place)):
            less = min(units, state.committed[location])
            state.committed[location] -= less
            state.on_hand[location] -= less
            units -= less
        state.on_hand.subtract(_first(latest, units))

    def _rung_up(self) -> list[tuple[str, int]]:
        return [(step.location, step.quantity) for step in self.standing()]

    def _served(self) -> int:
        """All units that tills rang up and that were not undone."""
        return sum(step.quantity for step in self.standing())

    def _doubled(self) -> int:
        """Units that tills rang up although they had been shipped."""
        return min(self._served() - self._handed().total(), self.total(SHIPPED))

    def _handed(self) -> Counter[str]:
        """Units that tills handed out of what the order still had."""
        return _first(self._rung_up(), self.ordered - self.total(SHIPPED) - self.ended)

    def _preordered(self, held: Counter[str], committed: Counter[str]) -> Counter[tuple[str, int]]:
        """Held units that are promised for a time, without those that were allocated."""
        allocated, none = self._by_kind[ALLOCATED], Counter[tuple[str, int]]()
        left = {
            location: max(0, min(units, held[location] - allocated[location]))
            for location, units in committed.items()
        }
        preordered = Counter[tuple[str, int]]()
        told = self._dated.get(PLACED, none) | self._dated.get(RESERVED, none)
        for (location, expected_at), units in sorted(
            told.items(), key=lambda one: one[0][1], reverse=True
        ):
            waiting = min(units, left.get(location, 0))
            if waiting > 0:
                preordered[location, expected_at] = waiting
                left[location] -= waiting
        return preordered

    def standing(self) -> list[OrderStep]:
        """What tills rang up for the order, by time, without the units that were undone."""
        undone, standing = Counter(self._by_kind[UNSERVED]), []
        for step in reversed(self._tills):
            less = min(undone[step.location], step.quantity)
            undone[step.location] -= less
            if step.quantity > less:
                standing.append(step._replace(quantity=step.quantity - less))
        return standing[::-1]

    def _promised(self) -> Counter[str]:
        """Promised units by location: the greater of allocated and reserved."""
        return self._by_kind[ALLOCATED] | self._by_kind[RESERVED]

    def _held(self) -> Counter[str]:
        """Promised units, and placed units that no promise covers yet."""
        promised, placed = self._promised(), self._by_kind[PLACED]
        held = Counter(promised)
        uncovered = max(0, placed.total() - promised.total())
        for location, units in sorted(placed.items()):
            more = min(uncovered, max(0, units - promised[location]))
            held[location] += more
            uncovered -= more
        return held


def _first(units: Iterable[tuple[str, int]], most: int) -> Counter[str]:
    """The first `most` of these units, by location."""
    first = Counter[str]()
    for location, many in units:
        taken = max(0, min(many, most))
        first[location] += taken
        most -= taken
    return first


def _committed(sku: str, at: int, before: ItemState, now: ItemState) -> Iterator[Move | DatedMove]:
    if before.preordered or now.preordered:
        yield from dated_moves(sku, at, before.preordered, now.preordered, "preordered")
    for location in sorted({*before.committed, *now.committed}):
        committed = now.committed[location] - before.committed[location]
        if committed:
            yield Move(sku, location, at, committed=committed)


def _preordered(
    sku: str, document: str, preordered: Counter[tuple[str, int]]
) -> Iterator[DatedUnits]:
    for (location, expected_at), units in sorted(preordered.items()):
        yield DatedUnits(document, sku, location, expected_at, preordered=units)


def _left(sku: str, steps: list[OrderStep]) -> Iterator[tuple[str, Move]]:
    """Units that left the shelf: what was shipped, what tills handed over beside that, and what
    came back and is not among these.
    """
    order = {SERVED: 1, UNSERVED: 1, CAME_BACK: 2}
    for step in steps:
        if step.kind == SHIPPED:
            yield step.document, Move(sku, step.location, step.at, -step.quantity)
    later = sorted((s for s in steps if s.kind in order), key=lambda step: order[step.kind])
    if not later:
        return
    sums = OrderedItem()
    for step in steps:
        if step.kind not in order:
            sums.add(step)
    before = sums.state().on_hand
    for step in later:
        sums.add(step)
        now = sums.state().on_hand
        for location in sorted({*before, *now}):
            if now[location] != before[location]:
                units = now[location] - before[location]
                yield step.document, Move(sku, location, step.at, units)
        before = now


def decided(misfit: Misfit, decisions: Decisions) -> Misfit:
    """A discrepancy with what people decided about it."""
    resolution = decisions.resolution(
        misfit.kind, misfit.document, misfit.sku, misfit.location
    )  # fmt: skip
    return misfit if resolution is None else replace(misfit, resolution=resolution)


def _misfits(sku: str, steps: Iterable[OrderStep], sums: OrderedItem) -> Iterator[Misfit]:
    """Units that left, were released or cancelled beyond what was ordered: those of the latest
    documents; and units rung up that were shipped or handed over as well.
    """
    used, ends = 0, Counter[str]()
    seen = sums.told_gone()  # the first units that came back are among these
    standing = sums.standing()
    tills = min(sum(step.quantity for step in standing), sums.ordered - sums.total(SHIPPED))
    for step in steps:
        units = step.quantity
        if step.kind in (RELEASED, CANCELLED):
            most = max(ends.values(), default=0)
            ends[step.kind] += units
            units = max(0, ends[step.kind] - most)
        elif step.kind == SERVED:
            units = max(0, min(units, tills, sums.ordered - used))
            tills -= units
        elif step.kind == CAME_BACK:
            units = max(0, step.quantity - seen)
            seen -= step.quantity - units
        elif step.kind != SHIPPED:
            continue
        over = min(units, max(0, used + units - sums.ordered))
        used += units
        if over:
            named = step.named or sku
            yield Misfit(step.document, MISFITS[step.kind], step.at, named, step.location, over)
    doubled = sums.state().doubled
    for step in reversed(standing):
        units = min(doubled, step.quantity)
        doubled -= units
        if units:
            named = step.named or sku
            yield Misfit(step.document, "doubled_document", step.at, named, step.location, units)
