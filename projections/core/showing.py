"""What does Redis hold of a ledger's row? The text that Postgres' JSON would make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from json import dumps
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from projections.core.tables import Ledger
from schemas.native import native

_packing = native("projections.core._packing")

ViewRow = tuple[str, str, int, str]  # hash key's value, field, row version, payload


def uuid_text(value: bytes) -> str:
    """An id as Postgres writes it."""
    digits = value.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def shown(type: str, value: Any) -> Any:
    """A value as Postgres' JSON shows it."""
    if value is None:
        return None
    if type == "uuid":
        return str(UUID(bytes=value))
    if type == "uuid[]":
        return [str(UUID(bytes=one)) for one in value]
    return "\\x" + value.hex() if type == "bytea" else value


_WRITTEN = {
    "uuid": "'\"' + uuid_text({v}) + '\"'",
    "bigint": "{v}",
    "int": "{v}",
    "smallint": "{v}",
    "text": "quoted({v})",
    "int[]": "{v}",
    "bigint[]": "{v}",
    "text[]": "'[' + ', '.join(map(quoted, {v})) + ']'",
}


def view_writer(table: Ledger) -> Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]]:
    """A function from a ledger's rows to those of its view, written for the columns' types."""
    assert table.view is not None
    if _packing is None:
        return plain_writer(table)
    names, types = zip(*[(part.name, part.type) for part in table.stored], strict=True)
    built: Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]] = _packing.viewer(
        types, names.index(table.view.by[0]), _other
    )
    return built


def plain_writer(table: Ledger) -> Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]]:
    """What `_packing.viewer` gives, in Python."""
    assert table.view is not None
    names, steps = [], []
    for at, part in enumerate(table.stored):
        one = _WRITTEN.get(part.type, f"other({part.type!r}, {{v}})").format(v=f"v{at}")
        steps.append(f"x{at} = 'null' if v{at} is None else {one}")
        names.append(part.name)
    given = ", ".join(f"v{at}" for at in range(len(names)))
    texts = ", ".join(f"{{x{at}}}" for at in range(len(names)))
    by = names.index(table.view.by[0])
    text = f"x{by}.strip('\"')" if table.stored[by].type == "uuid" else f"str(v{by})"
    field = "{v1}" if by == 0 else "{x0[1:-1]}|{v1}"
    lines = [*steps, f"add(({text}, f'{field}', 1, f'[{texts}]'))"]
    source = (
        f"def write(rows):\n    found = []\n    add = found.append\n    for {given} in rows:\n"
        + "".join(f"        {line}\n" for line in lines)
        + "    return found\n"
    )
    scope: dict[str, Any] = {"quoted": encode_basestring, "uuid_text": uuid_text, "other": _other}
    exec(source, scope)  # noqa: S102 - the text is built from column types alone
    written: Callable[[Iterable[tuple[Any, ...]]], list[ViewRow]] = scope["write"]
    return written


def _other(type: str, value: Any) -> str:
    return dumps(shown(type, value), ensure_ascii=False)
