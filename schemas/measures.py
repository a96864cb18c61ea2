"""How a quantity is counted: in pieces, or in thousandths of a unit such as kg. Pure.

An event tells a quantity with a `unit` and a `scale` (its decimal places). Told with neither, it
counts pieces, and its amount is the whole number as told. Told with one of them it is measured, and
its amount is in thousandths of the unit: 35 with scale 2 and 350 with scale 3 are the same amount.

Amounts of different units are never added. An item that is told in pieces and by weight has two
stocks at a location, each with its own key (`place`), and each with its own promises.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field, WithJsonSchema

from schemas.normal.text import folded

THOUSANDTHS = 1_000
DECIMALS_MAX = 3
# in a place: ASCII's unit separator, as no code of a location has control characters
MARK = "\x1f"
# words for what is counted as it is
_PIECES = frozenset(
    ("pc", "pcs", "piece", "pieces", "each", "ea", "c62", "h87", "pce", "個", "点", "コ", "ケ")
)

_DECIMAL = {
    "type": "number",
    "description": "A whole number of pieces; decimals only where `unit` is told.",
}
if TYPE_CHECKING:
    Units = int | float
else:  # written as it is: to tell the types apart would cost more than to write the number
    Units = Annotated[Any, WithJsonSchema(_DECIMAL)]
"""An amount in an answer, as `shown` returns it."""
UnitTold = Annotated[
    str | None,
    Field(
        exclude_if=lambda unit: unit is None,
        description='What the amounts are counted in, e.g. kg; absent for pieces, "" if decimals'
        " were told without a unit.",
    ),
]
"""The unit of an answer's amounts; absent where they are pieces."""


class Amount(NamedTuple):
    """An amount of an item. `unit`: None for pieces, else `quantity` is in thousandths of it; ""
    where decimals were told without a unit.
    """

    quantity: int
    unit: str | None


def amount(quantity: int, unit: str | None, scale: int) -> Amount:
    """The amount that an event tells by these three fields.

    Raises ValueError for a scale that no gateway lets in: the record becomes a dead letter.
    """
    if unit is None and not scale:
        return Amount(quantity, None)
    if not 0 <= scale <= DECIMALS_MAX:
        raise ValueError(f"scale: must be from 0 to {DECIMALS_MAX}, not {scale}")
    name = "" if unit is None else unit_name(unit)
    if not name and not scale:
        return Amount(quantity, None)
    return Amount(quantity * 10 ** (DECIMALS_MAX - scale), name)


def comparable(quantity: int, unit: str | None, scale: int) -> int | tuple[int, str | None, int]:
    """A quantity for comparing what two documents tell: equal for equal amounts.

    Pieces are the number itself. A scale that is out of bounds is compared as it is.
    """
    if not 0 <= scale <= DECIMALS_MAX:
        return quantity, unit, scale
    counted = amount(quantity, unit, scale)
    return counted.quantity if counted.unit is None else (*counted, DECIMALS_MAX)


@lru_cache(maxsize=1_000)
def unit_name(unit: str) -> str:
    """The unit in normal form ("KG" and "ｋｇ" are kg); "" for pieces, in whichever words."""
    name = folded(unit)
    return "" if name in _PIECES else name


def shown(quantity: int, unit: str | None) -> int | float:
    """An amount as answers show it: pieces as they are, thousandths as a decimal number."""
    if unit is None:
        return quantity
    whole, rest = divmod(quantity, THOUSANDTHS)
    return quantity / THOUSANDTHS if rest else whole


def place(location_id: str, unit: str | None) -> str:
    """The key of an item's stock at a location, counted in this unit; of pieces the location."""
    return location_id if unit is None else f"{location_id}{MARK}{unit}"


def everywhere(place: str) -> str:
    """The place without a location of the same unit; "" for pieces."""
    _, mark, unit = place.partition(MARK)
    return mark + unit


def is_measured(place: str) -> bool:
    """Whether the amounts at a place are in thousandths of a unit."""
    return MARK in place


def location_and_unit(place: str) -> tuple[str, str | None]:
    """The two parts of what `place` returns."""
    if MARK not in place:
        return place, None
    location_id, _, unit = place.partition(MARK)
    return location_id, unit


def everywhere_sql(place: str) -> str:
    """SQL: the place without a location of the same unit, of a column with places."""
    mark = f"strpos({place}, chr({ord(MARK)}))"
    return f"case when {mark} > 0 then substr({place}, {mark}) else '' end"


def location_sql(place: str) -> str:
    """SQL: the location of a column with places."""
    return f"split_part({place}, chr({ord(MARK)}), 1)"


def unit_sql(place: str) -> str:
    """SQL: the unit of a column with places; null for pieces."""
    return (
        f"case when strpos({place}, chr({ord(MARK)})) > 0"
        f" then split_part({place}, chr({ord(MARK)}), 2) end"
    )
