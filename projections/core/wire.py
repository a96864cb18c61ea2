"""How do folded rows travel to Postgres? Array literals for merges, COPY BINARY for ledgers.

Both are several times cheaper than handing lists to the driver, which is where a batch's client
time would go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from projections.core.columns import span_text, unmoved
from projections.core.tables import Kept, Table


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


def columns(
    table: Kept, rows: dict[tuple[Any, ...], list[Any]]
) -> tuple[tuple[str, ...], list[str]]:
    """Folded rows as an array literal a column, sorted by key: writers lock in one order.

    Gives the columns' names and their literals; columns that no row moves are left out.
    """
    ordered = sorted(rows)
    names = list(table.keys)
    types = [table.columns[name].type for name in names]
    sent = [literal(type, own) for type, own in zip(types, zip(*ordered, strict=True), strict=True)]
    values = zip(*[rows[key] for key in ordered], strict=True)
    for name, own in zip(table.values, values, strict=True):
        column = table.columns[name]
        if column.kind == "level":
            parts = _level(name, own)
        elif isinstance(table, Table) and unmoved(column, own):
            continue
        else:
            parts = [(name, literal(column.type, own))]
        for part, text in parts:
            names.append(part)
            sent.append(text)
    return tuple(names), sent


def _level(name: str, own: Sequence[Any]) -> list[tuple[str, str]]:
    """A reading's row starts as its changes alone; the recount that follows puts it right."""
    changes, since, readings, read_at = zip(*own, strict=True)
    parts = [(name, changes), (f"{name}_from", since)]
    if any(at is not None for at in read_at):
        parts += [(f"{name}_read", readings), (f"{name}_read_at", read_at)]
    return [(part, literal("bigint", values)) for part, values in parts]


def key_columns(table: Kept, keys: Iterable[tuple[Any, ...]]) -> list[str]:
    """Keys as one array literal a key column."""
    listed = list(keys)
    return [
        literal(table.columns[name].type, [key[i] for key in listed])
        for i, name in enumerate(table.keys)
    ]
