"""Which codes that the documents of a sale or an order name are of one item? Pure.

A sale, an order and what corrects them may name an item by its own sku or by any of its barcodes,
which may be declared later. A set whose corrections name a code that was not sold asks about every
code in it. The set of a code (one for all lengths of a barcode) has those who ask, and which items
declared it; it answers with these items, the latest declaration first, as catalogue readers decide
(`projections.catalog.barcodes`), whenever a declaration arrives. An answer is [kind, 0, items]: it
has no time, and its id is the code's. A declaration that begins later counts at once: a set knows
no present. So a code means the first of its items that was sold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from uuid import UUID, uuid5

from projections.core import Projection, Row, key
from projections.core.documents import Asking, Documents, DocumentSet
from projections.core.tables import RowKey
from schemas.barcodes import longest
from schemas.generated.events import ItemDescribed

DECLARED, ASKED, ANSWER = "declared", "asked", "items of a code"
_CODES = UUID("7d27523a-4c5a-5a08-8df4-36a6f0930cd4")


def code_id(code: str) -> bytes:
    """The key of a code's set; of a barcode the same in every length."""
    return uuid5(_CODES, longest(code)).bytes


def ask_about_codes(
    projection: Projection,
    name: str,
    source: DocumentSet,
    named_otherwise: Callable[[Documents], Collection[str]],
) -> None:
    """Declares the sets of codes, in a table `name`, and that sets of `source` ask these.

    `named_otherwise(documents)`: the codes about which a set asks.
    """
    asked = projection.documents(name, code_id=key("uuid"), summary=_no_summary)
    (subject,) = source.keys

    def question(own: RowKey, documents: Documents) -> list[tuple[str, Row]]:
        codes = named_otherwise(documents)
        asking = own[0].hex() if codes else ""
        return [(asking, asked(code_id=code_id(code), document=[ASKED])) for code in sorted(codes)]

    def answer(own: RowKey, documents: Documents) -> Iterator[tuple[str, Row]]:
        items = _items(documents)
        if items:
            for asking, one in documents.items():
                if one[0] == ASKED:
                    told = {subject: bytes.fromhex(asking), "document": [ANSWER, 0, items]}
                    yield own[0].hex(), source(**told)

    projection.asking.append(Asking(source, asked, question, answer))

    @projection.on(ItemDescribed)
    def described(event: ItemDescribed) -> Iterator[Row]:
        told = [DECLARED, event.valid_from, event.meta.occurred_at, longest(event.sku)]
        for barcode in {longest(barcode) for barcode in event.barcodes}:
            yield asked(code_id=code_id(barcode), document=told)


def _items(documents: Documents) -> list[str]:
    """The items that declared a code, the latest declaration first."""
    told = sorted((one[1:] for one in documents.values() if one[0] == DECLARED), reverse=True)
    return list(dict.fromkeys(sku for _, _, sku in told))


def _no_summary(key: RowKey, documents: Documents) -> Mapping[str, None]:
    return {}


class NamedCodes:
    """The answers among the documents of a set."""

    def __init__(self, documents: Documents) -> None:
        self._items = {name: one[2] for name, one in documents.items() if one[0] == ANSWER}

    def __bool__(self) -> bool:
        return bool(self._items)

    def items(self, code: str) -> list[str]:
        """The items that declared a code, the latest first; the code itself if none has."""
        if not self._items:
            return [longest(code)]
        return self._items.get(code_id(code).hex()) or [longest(code)]

    def same(self, code: str, other: str) -> bool:
        """Whether two codes can be of one item."""
        if code == other:
            return True
        return not set(self.items(code)).isdisjoint(self.items(other))

    def meant(self, code: str, among: Iterable[str]) -> set[str]:
        """Which of other codes are of the item of a code: the first of its items that has any."""
        others = set(among)
        for item in self.items(code):
            if found := {other for other in others if item in self.items(other)}:
                return found
        return set()
