"""How is an event written in the newest schema of its record? By a function made for it.

An expression for each record of the schema, of exactly its fields. What it writes is what the Avro
library would write; for whatever does not fit it raises, and the library, which is the authority,
writes the event after all or says what is wrong with it.
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
    """Not what the schema holds."""


def writer(schema: dict[str, Any], header: bytes) -> Write:
    """Writes whole values: the header, then the body."""
    body = _of(plan(schema))
    return lambda event: header + body(event)


def _of(plan: Plan) -> Callable[[Any], bytes]:
    """What writes a value of this plan."""
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
        case (kind,):
            return _SIMPLE[kind]
        case _:
            raise TypeError(f"nothing writes {plan}")


def _record(names: Iterable[str], plans: Iterable[Plan]) -> Callable[[Any], bytes]:
    """One expression of its fields, one behind the other."""
    scope = {f"write_{name}": _of(one) for name, one in zip(names, plans, strict=True)}
    parts = ", ".join(f"write_{name}(value.{name})" for name in names)
    made: Callable[[Any], bytes] = eval(f"lambda value: b''.join(({parts},))", dict(scope))
    return made


def _long(number: int) -> bytes:
    """A zigzag number of 64 bits, shortest form."""
    if 0 <= number < 64:
        return _ONE[number]
    word = (number << 1) ^ (number >> 63)
    if _LEAST_OF_EIGHT <= word < _LEAST_OF_NINE:  # a time: eight bytes, parted two by two
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
    """One block without its size, and the end; the end alone where nothing is in it."""
    many = len(values)
    return _long(many) + b"".join(map(write, values)) + b"\0" if many else b"\0"


_SIMPLE: dict[str, Callable[[Any], bytes]] = {
    "bytes": _bytes, "string": _string, "double": Struct("<d").pack, "boolean": _boolean,
}  # fmt: skip
