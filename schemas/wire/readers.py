"""Decodes a value in a few microseconds, by a reader generated for its schema.

C code interprets a plan of the schema (`schemas/wire/_reading.c`). If it is not compiled, Python
source is generated for the schema. Both accept only canonical encoding: shortest varints, arrays in
blocks without byte sizes. For any other bytes they raise, and the caller decodes again with the
Avro library, which accepts every valid encoding and tells why another is invalid. The library gives
the same result for all bytes that these readers accept. Codes are read in their normal form, also
those of records that were appended before the gateway made it.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

from schemas.codes import forms_of, normal_code, upper_code
from schemas.generated import events
from schemas.generated.events import Event, parts
from schemas.wire import bounds
from schemas.wire.added_fields import ADDED
from schemas.wire.compiled_codec import native
from schemas.wire.event_builders import by_name
from schemas.wire.plan import plan

Read = Callable[[bytes], Event]
_eight = Struct("<Q").unpack_from
_GO_ON, _EIGHT_LONG = 0x8080808080808080, 0x0080808080808080


_reading = native("schemas.wire._reading")


class NonCanonical(ValueError):
    """The encoding is not canonical, so the Avro library has to decode it."""


def reader(schema: dict[str, Any], start: int) -> Read:
    """A function that decodes a value whose body begins at `start`; it may raise any exception.

    `schema`: the newest of its record, or an older one from `with_added_fields`.
    """
    if _reading is None:
        return written(schema, start)
    made: Read = _reading.Reader(plan(schema), start)
    return made


def written(schema: dict[str, Any], start: int) -> Read:
    """A function like that of `reader`, in generated Python: straight-line code for this schema."""
    writing = _Writing()
    result = writing.record(schema, getattr(events, schema["name"]))
    body = "\n    ".join(
        [
            f"i = {start}",
            *writing.lines,
            "if i != len(b):",
            "    raise NonCanonical",
            f"return {result}",
        ]
    )
    exec(f"def read(b):\n    {body}\n", writing.scope)  # noqa: S102 - made of schemas alone
    made: Read = writing.scope["read"]
    return made


def _longer(b: bytes, first: int, i: int) -> tuple[int, int]:
    """The zigzag number whose first byte has the continuation bit, and the index after it."""
    if len(b) - i >= 7:
        (word,) = _eight(b, i - 1)
        if word & _GO_ON == _EIGHT_LONG:  # a varint of eight bytes, usually a time
            number = word & 0x7F7F7F7F7F7F7F7F
            number = (number & 0x007F007F007F007F) | (number & 0x7F007F007F007F00) >> 1
            number = (number & 0x00003FFF00003FFF) | (number & 0x3FFF00003FFF0000) >> 2
            number = (number & 0x0FFFFFFF) | (number & 0x0FFFFFFF00000000) >> 4
            return (number >> 1) ^ -(number & 1), i + 7
    number, shift = first & 127, 7
    while True:
        byte = b[i]
        i += 1
        number |= (byte & 127) << shift
        if byte < 128:
            if not byte or number >> 64:
                raise NonCanonical
            return (number >> 1) ^ -(number & 1), i
        shift += 7


class _Writing:
    """Generates Python statements that read from `b` (the bytes) at `i` (the current index)."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {
            "NonCanonical": NonCanonical,
            "longer": _longer,
            "double": Struct("<d").unpack_from,
            "truth": {0: False, 1: True},
            "normal_code": normal_code,
            "upper_code": upper_code,
        }
        self._named: dict[str, dict[str, Any]] = {}
        self._count = 0

    def record(self, schema: dict[str, Any], cls: type, indent: str = "") -> str:
        """Adds statements that read the fields in wire order; returns the expression of the
        object.
        """
        self.scope[cls.__name__] = by_name(cls)
        forms = forms_of(schema["name"])
        read = {
            one["name"]: self._field(one, forms.get(one["name"]), indent)
            for one in schema["fields"]
        }
        read |= {name: repr(default) for name, default in schema.get(ADDED, {}).items()}
        arguments = ", ".join(f"{name}={value}" for name, value in read.items())
        return f"{cls.__name__}({arguments})"

    def _field(self, field: dict[str, Any], form: Any, indent: str) -> str:
        return self._value(field["type"], form or field.get("is"), indent)

    def _value(self, kind: Any, meaning: Any, indent: str) -> str:
        if isinstance(kind, str) and kind in self._named:
            kind = self._named[kind]
        if isinstance(kind, list):
            return self._union(kind, meaning, indent)
        if isinstance(kind, dict):
            if "name" in kind:
                self._named[f"{kind.get('namespace', 'hitotsu')}.{kind['name']}"] = kind
            form = meaning if callable(meaning) else None
            if kind["type"] == "array":
                return self._array(kind, form, indent)
            return getattr(self, f"_{kind['type']}")(kind, indent)  # type: ignore[no-any-return]
        name = self._name()
        getattr(self, f"_{kind}")(name, meaning, indent)
        return name

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def _say(self, indent: str, *lines: str) -> None:
        self.lines += [indent + line for line in lines]

    def _union(self, branches: list[Any], meaning: Any, indent: str) -> str:
        name = self._name()
        if len(branches) != 2 or branches[0] != "null":
            raise TypeError("a union must be null and one other type")
        self._say(indent, "n = b[i]", "i += 1", f"{name} = None", "if n == 2:")
        value = self._value(branches[1], meaning, indent + "    ")
        self._say(indent, f"    {name} = {value}", "elif n:", "    raise NonCanonical")
        return name

    def _record(self, schema: dict[str, Any], indent: str) -> str:
        return self.record(schema, getattr(parts, schema["name"]), indent)

    def _fixed(self, schema: dict[str, Any], indent: str) -> str:
        name, size = self._name(), schema["size"]
        self._say(indent, f"{name} = b[i : i + {size}]", f"i += {size}")
        return name

    def _enum(self, schema: dict[str, Any], indent: str) -> str:
        name, table = self._name(), f"symbols_{schema['name']}"
        self.scope[table] = {2 * at: symbol for at, symbol in enumerate(schema["symbols"])}
        self._say(indent, f"{name} = {table}[b[i]]", "i += 1")
        return name

    def _array(self, schema: dict[str, Any], form: Any, indent: str) -> str:
        name, count, inner = self._name(), self._name(), indent + "        "
        self._say(indent, f"{name} = []")
        self._int(count, None, indent)
        # an item takes a byte at least; a slice beyond the end would give empty items without end
        self._say(
            indent,
            f"while {count}:",
            f"    if not 0 < {count} <= len(b) - i:",
            "        raise NonCanonical",
            f"    for _ in range({count}):",
        )
        item = self._value(schema["items"], form, inner)
        self._say(inner, f"{name}.append({item})")
        self._int(count, None, indent + "    ")
        return name

    def _int(self, name: str, meaning: str | None, indent: str) -> None:
        low, high = bounds.INT_MIN, bounds.INT_MAX
        if meaning == "date":
            low, high = bounds.FIRST_DAY, bounds.LAST_DAY - 1
        self._number(name, indent, f"if not {low} <= {name} <= {high}:")

    def _long(self, name: str, meaning: str | None, indent: str) -> None:
        low, high = bounds.EARLIEST, bounds.LATEST
        check = f"if not {low} <= {name} < {high}:" if meaning == "instant" else ""
        self._number(name, indent, check)

    def _number(self, name: str, indent: str, check: str) -> None:
        """Adds statements that read an integer. Varints of one byte are within all bounds, so only
        longer ones are checked.
        """
        self._say(
            indent,
            f"{name} = b[i]",
            "i += 1",
            f"if {name} < 128:",
            f"    {name} = ({name} >> 1) ^ -({name} & 1)",
            "else:",
            f"    {name}, i = longer(b, {name}, i)",
            *([f"    {check}", "        raise NonCanonical"] if check else []),
        )

    def _bytes(self, name: str, _: str | None, indent: str) -> None:
        self._int("n", None, indent)
        self._say(indent, "if n < 0:", "    raise NonCanonical")
        self._say(indent, f"{name} = b[i : i + n]", "i += n")

    def _string(self, name: str, meaning: Any, indent: str) -> None:
        self._bytes(name, None, indent)
        self._say(indent, f"{name} = {name}.decode()")
        if callable(meaning):
            form = "upper_code" if meaning is upper_code else "normal_code"
            self._say(indent, f"{name} = {form}({name})")

    def _double(self, name: str, _: str | None, indent: str) -> None:
        self._say(indent, f"({name},) = double(b, i)", "i += 8")

    def _boolean(self, name: str, _: str | None, indent: str) -> None:
        self._say(indent, f"{name} = truth[b[i]]", "i += 1")
