"""Fast encoding of events in the newest schema version, by functions generated for the schema.

The bytes equal those of the Avro library. If a value does not fit the schema, the function raises,
and the caller encodes again with the library, which either succeeds or tells the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from struct import Struct
from typing import Any

from schemas.generated.events import Event
from schemas.wire.plan import Plan, plan

Write = Callable[[Event], bytes]
_eight = Struct("<Q").pack
_ONE = [bytes([number << 1]) for number in range(64)]
_LEAST_OF_EIGHT, _LEAST_OF_NINE = 1 << 49, 1 << 56


class Unfit(ValueError):
    """The value does not fit the schema."""


def writer(schema: dict[str, Any], header: bytes) -> Write:
    """A function that encodes an event to a record's value: `header`, then the body."""
    body = _of(plan(schema))
    return lambda event: header + body(event)


def _of(plan: Plan) -> Callable[[Any], bytes]:
    """The function that encodes a value of this plan."""
    match plan:
        case "record", _, names, plans:
            return _record(names, plans)
        case "optional", (inner,):
            write = _of(inner)
            return lambda value: b"\0" if value is None else b"\2" + write(value)
        case "array", (inner,):
            return partial(_array, _of(inner))
        case "fixed", size:
            return partial(_fixed, size)
        case "enum", symbols:
            return {symbol: _long(at) for at, symbol in enumerate(symbols)}.__getitem__
        case "integer", lowest, highest:
            return partial(_integer, lowest, highest)
        case "code", _, _:
            return _SIMPLE["string"]
        case (kind,):
            return _SIMPLE[kind]
        case _:
            raise TypeError(f"no writer for {plan}")


def _record(names: Iterable[str], plans: Iterable[Plan]) -> Callable[[Any], bytes]:
    """A function that encodes a record: its fields, concatenated."""
    scope = {f"write_{name}": _of(one) for name, one in zip(names, plans, strict=True)}
    parts = ", ".join(f"write_{name}(value.{name})" for name in names)
    made: Callable[[Any], bytes] = eval(f"lambda value: b''.join(({parts},))", dict(scope))
    return made


def _long(number: int) -> bytes:
    """The number as the shortest zigzag varint."""
    if 0 <= number < 64:
        return _ONE[number]
    word = (number << 1) ^ (number >> 63)
    if _LEAST_OF_EIGHT <= word < _LEAST_OF_NINE:  # a varint of eight bytes, usually a time
        word = (word & 0x0FFFFFFF) | (word & 0x00FFFFFFF0000000) << 4
        word = (word & 0x00003FFF00003FFF) | (word & 0x0FFFC0000FFFC000) << 2
        word = (word & 0x007F007F007F007F) | (word & 0x3F803F803F803F80) << 1
        return _eight(word | 0x0080808080808080)
    written = bytearray()
    while word > 127:
        written.append(word & 127 | 128)
        word >>= 7
    written.append(word)
    return bytes(written)


def _integer(lowest: int, highest: int, number: int) -> bytes:
    if not lowest <= number <= highest:
        raise Unfit
    return _long(number)


def _string(text: str) -> bytes:
    return _bytes(text.encode())


def _bytes(raw: bytes) -> bytes:
    return _long(len(raw)) + raw


def _fixed(size: int, raw: bytes) -> bytes:
    if len(raw) != size:
        raise Unfit
    return raw


def _boolean(truth: bool) -> bytes:
    return b"\1" if truth else b"\0"


def _array(write: Callable[[Any], bytes], values: list[Any]) -> bytes:
    """The array as one block without byte size and the terminating 0; if empty, only the 0."""
    many = len(values)
    return _long(many) + b"".join(map(write, values)) + b"\0" if many else b"\0"


_SIMPLE: dict[str, Callable[[Any], bytes]] = {
    "bytes": _bytes, "string": _string, "double": Struct("<d").pack, "boolean": _boolean,
}  # fmt: skip
