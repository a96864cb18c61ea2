"""What an order's documents do to each of its items, whatever codes they name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from projections.core.documents import Documents
from projections.purchases.item_codes import ANSWER, NamedCodes
from projections.purchases.settlements import SETTLED
from projections.shared_stock.order_steps import ALLOCATED, PLACED, RESERVED, OrderStep
from schemas.barcodes import longest
from schemas.measures import everywhere

ENTRIES = "entries"
Steps = dict[tuple[str, str], list[OrderStep]]
"""By item and unit; not in the order of time."""


def steps_by_item(documents: Documents) -> Steps:
    """The steps of an order's items."""
    steps: Steps = defaultdict(list)
    answered = False
    for name, document in documents.items():
        if document[0] == ENTRIES:
            for number, (event_id, at, kind, sku, *rest) in enumerate(document[1]):
                steps[sku, everywhere(rest[0])].append(OrderStep(at, event_id, number, kind, *rest))
        elif document[0] == ANSWER:
            answered = True
        elif document[0] != SETTLED:
            kind, at, sku, *rest = document
            steps[sku, everywhere(rest[0])].append(OrderStep(at, name, 0, kind, *rest))
    return _of_one_item(steps, NamedCodes(documents)) if answered else steps


def _of_one_item(steps: Steps, codes: NamedCodes) -> Steps:
    """All codes of an item under one of them, which was ordered if any of them was."""
    together: Steps = {}
    ordered = _ordered(steps)
    for sku, unit in sorted(steps, key=lambda one: (one[0] not in ordered, one)):
        first = codes.meant(sku, (other for other, of in together if of == unit))
        own = min(first, default=sku)
        named = steps[sku, unit]
        if own != sku:
            named = [step._replace(named=sku) for step in named]
        together.setdefault((own, unit), []).extend(named)
    return together


def _ordered(steps: Mapping[tuple[str, str], Iterable[OrderStep]]) -> set[str]:
    kinds = {sku: {step.kind for step in own} for (sku, _), own in steps.items()}
    placed = {sku for sku, own in kinds.items() if PLACED in own}
    return placed or {sku for sku, own in kinds.items() if own & {ALLOCATED, RESERVED}}


def codes_named_otherwise(documents: Documents) -> Collection[str]:
    """All codes in the documents of an order, if one of them was not ordered; else none.

    What was promised counts as ordered until it is told what was placed.
    """
    placed, promised, codes = set[str](), set[str](), set[str]()
    for document in documents.values():
        kind = document[0]
        if kind == ENTRIES:
            for _, _, step, sku, *_ in document[1]:
                codes.add(sku)
                if step == PLACED:
                    placed.add(sku)
        elif kind not in (SETTLED, ANSWER):
            codes.add(document[2])
            if kind in (ALLOCATED, RESERVED):
                promised.add(document[2])
    ordered = placed or promised
    if not ordered or codes <= ordered:
        return ()
    whole = {longest(code) for code in codes}
    return whole if whole - {longest(code) for code in ordered} else ()
