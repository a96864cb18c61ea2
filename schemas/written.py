"""How is an event written in the newest schema of its record? By a function made for it.

An expression for each record of the schema, of exactly its fields. What it writes is what the Avro
library would write; for whatever does not fit it raises, and the library, which is the authority,
writes the event after all or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from schemas import bounds
from schemas.events import Event

Write = Callable[[Event], bytes]
_eight = Struct("<Q").pack
_ONE = [bytes([number << 1]) for number in range(64)]
_LEAST_OF_EIGHT, _LEAST_OF_NINE, _ALL = 1 << 49, 1 << 56, 1 << 64


class Unfit(ValueError):
    """Not what the schema holds."""


def writer(schema: dict[str, Any], header: bytes) -> Write:
    """Writes whole values: the header, then the body."""
    scope: dict[str, Any] = {
        "array": _array, "boolean": _boolean, "bytes_": _bytes, "double": Struct("<d").pack,
        "fixed": _fixed, "int_": _int, "long": _long, "string": _string,
    }  # fmt: skip
    name = _Writing(scope).value(schema)
    body: Write = scope[name]
    return lambda event: header + body(event)


def _long(number: int) -> bytes:
    """A zigzag number, shortest form."""
    if 0 <= number < 64:
        return _ONE[number]
    word = (number << 1) ^ (number >> 63)
    if _LEAST_OF_EIGHT <= word < _LEAST_OF_NINE:  # a time: eight bytes, parted two by two
        word = (word & 0x0FFFFFFF) | (word & 0x00FFFFFFF0000000) << 4
        word = (word & 0x00003FFF00003FFF) | (word & 0x0FFFC0000FFFC000) << 2
        word = (word & 0x007F007F007F007F) | (word & 0x3F803F803F803F80) << 1
        return _eight(word | 0x0080808080808080)
    if not 0 <= word < _ALL:
        raise Unfit
    written = bytearray()
    while word > 127:
        written.append(word & 127 | 128)
        word >>= 7
    written.append(word)
    return bytes(written)


def _int(number: int) -> bytes:
    if not bounds.INT_MIN <= number <= bounds.INT_MAX:
        raise Unfit
    return _long(number)


def _string(text: str) -> bytes:
    return _bytes(text.encode())


def _bytes(raw: bytes) -> bytes:
    return _long(len(raw)) + raw


def _fixed(raw: bytes, size: int) -> bytes:
    if len(raw) != size:
        raise Unfit
    return raw


def _boolean(truth: bool) -> bytes:
    return b"\1" if truth else b"\0"


def _array(values: list[Any], write: Callable[[Any], bytes]) -> bytes:
    """One block without its size, and the end; the end alone where nothing is in it."""
    many = len(values)
    return _long(many) + b"".join(map(write, values)) + b"\0" if many else b"\0"


class _Writing:
    """Names or expressions of what writes each type; functions go into the scope."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._scope = scope
        self._named: dict[str, str] = {}

    def value(self, kind: Any) -> str:
        """What writes this type: an expression that takes one argument when it is called."""
        if isinstance(kind, str):
            return self._named.get(kind) or {"bytes": "bytes_", "int": "int_"}.get(kind, kind)
        if isinstance(kind, list):
            return self._optional(kind)
        made: str = getattr(self, f"_{kind['type']}")(kind)
        if "name" in kind:
            self._named[f"{kind.get('namespace', 'hitotsu')}.{kind['name']}"] = made
        return made

    def _optional(self, branches: list[Any]) -> str:
        if len(branches) != 2 or branches[0] != "null":
            raise TypeError("a union is of null and one other type")
        inner = self.value(branches[1])
        return self._function(
            f"optional_{len(self._scope)}", f"b'\\0' if v is None else b'\\2' + {inner}(v)"
        )

    def _record(self, schema: dict[str, Any]) -> str:
        parts = [f"{self.value(one['type'])}(v.{one['name']})" for one in schema["fields"]]
        return self._function(f"record_{schema['name']}", f"b''.join(({', '.join(parts)},))")

    def _fixed(self, schema: dict[str, Any]) -> str:
        return self._function(f"fixed_{schema['name']}", f"fixed(v, {schema['size']})")

    def _enum(self, schema: dict[str, Any]) -> str:
        name = f"enum_{schema['name']}"
        symbols = {symbol: _long(at) for at, symbol in enumerate(schema["symbols"])}
        self._scope[name] = symbols.__getitem__
        return name

    def _array(self, schema: dict[str, Any]) -> str:
        inner = self.value(schema["items"])
        return self._function(f"array_{len(self._scope)}", f"array(v, {inner})")

    def _function(self, name: str, expression: str) -> str:
        exec(f"def {name}(v):\n    return {expression}\n", self._scope)  # noqa: S102 - made of schemas alone
        return name
