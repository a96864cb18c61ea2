"""How do folded rows travel to Postgres? Array literals for merges, COPY BINARY for ledgers.

Both are several times cheaper than handing lists to the driver, which is where a batch's client
time would go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from projections.core.columns import span_text
from projections.core.tables import Kept


def quote(text: str) -> str:
    """An element of an array literal."""
    if _plain(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _bytes(value: bytes) -> str:
    return '"\\\\x' + value.hex() + '"'


_SCALARS: dict[str, Callable[[Any], str]] = {
    "uuid": bytes.hex,
    "bigint": str,
    "int": str,
    "smallint": str,
    "double precision": repr,
    "boolean": _boolean,
    "text": quote,
    "bytea": _bytes,
    "int8multirange": lambda numbers: quote(span_text(numbers)),
}


def literal(type: str, values: Iterable[Any]) -> str:
    """Values of one column as an array literal."""
    held = values if isinstance(values, list | tuple) else list(values)
    if None in held:
        one = partial(literal_item, type)
        return "{" + ",".join(["NULL" if v is None else one(v) for v in held]) + "}"
    return "{" + ",".join(_items(type, held)) + "}"


def literal_item(type: str, value: Any) -> str:
    """One value, as an element of an array literal."""
    return quote(literal(type[:-2], value)) if type.endswith("[]") else _SCALARS[type](value)


def _items(type: str, values: Sequence[Any]) -> Iterable[str]:
    if type == "text":
        return values if _plain("".join(values)) and "" not in values else map(quote, values)
    return map(partial(literal_item, type) if type.endswith("[]") else _SCALARS[type], values)


def _plain(text: str) -> bool:
    """Whether texts, joined here, mean in an array literal what they are."""
    return text.isascii() and text.isalnum() and "NULL" not in text.upper()


def columns(table: Kept, rows: dict[tuple[Any, ...], list[Any]]) -> list[str]:
    """Folded rows as an array literal a column, sorted by key: writers lock in one order."""
    ordered = sorted(rows)
    types = [table.columns[name].type for name in table.keys]
    sent = [literal(type, own) for type, own in zip(types, zip(*ordered, strict=True), strict=True)]
    values = zip(*[rows[key] for key in ordered], strict=True)
    for name, own in zip(table.values, values, strict=True):
        column = table.columns[name]
        if column.kind != "level":
            sent.append(literal(column.type, own))
            continue
        # a reading's row starts as its changes alone; the recount that follows puts it right
        sent += [literal("bigint", part) for part in zip(*own, strict=True)]
    return sent


def key_columns(table: Kept, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Keys as one array literal a key column."""
    listed = list(keys)
    return [
        literal(table.columns[name].type, [key[i] for key in listed])
        for i, name in enumerate(table.keys)
    ]
