"""Golden values: encoded events of every released version, which all later code must decode."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.declarations import HOME, Description, Field, RecordType, describe
from schemas.generated.records import FROM_RECORD, TO_RECORD
from schemas.history.releases import Release, Releases
from schemas.wire.bounds import AMOUNT_MAX, INT_MAX
from schemas.wire.codec import Codec

_TEXT = {"least": "a", "usual": "マグカップ 白", "most": "髙﨑・はしご高 🎁 ẞ" * 10}
_INT = {"least": 1, "usual": 42, "most": INT_MAX}
_LONG = {"least": 1, "usual": 1650, "most": AMOUNT_MAX}
_TIME = {
    "least": -2_208_988_800_000_000,
    "usual": 1_775_006_100_000_000,
    "most": 7_258_118_399_999_999,
}
_DAY = {"least": -25_567, "usual": 20_544, "most": 84_005}
_DOUBLE = {"least": -0.0, "usual": 35.6595, "most": 139.7005}
_COUNT = {"least": 0, "usual": 2, "most": 3}


@dataclass(frozen=True, slots=True)
class Golden:
    """An encoded value and the record to which it must decode (as JSON values)."""

    release: Release
    value: bytes
    says: dict[str, Any]


def corpus(home: Path = HOME) -> Iterator[Golden]:
    """All golden values of all releases."""
    for release in Releases(home):
        for line in _file(home, release).read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            yield Golden(release, bytes.fromhex(kept["value"]), kept["says"])


def missing(home: Path = HOME) -> list[Release]:
    """Releases that have no golden values yet."""
    return [release for release in Releases(home) if not _file(home, release).exists()]


def write(home: Path = HOME) -> list[Release]:
    """Writes golden values of releases that have none, and returns these releases.

    Existing values are never rewritten.
    """
    without = missing(home)
    if without:
        description, codec = describe(home), Codec(Releases(home))
        for release in without:
            path = _file(home, release)
            path.parent.mkdir(exist_ok=True)
            rows = _rows(description, codec, release.record)
            path.write_text("".join(rows), encoding="utf-8")
    return without


def plain(value: Any) -> Any:
    """A record as JSON values; bytes in hexadecimal."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def _rows(description: Description, codec: Codec, name: str) -> Iterator[str]:
    for size in ("least", "usual", "most"):
        event = FROM_RECORD[name](_Values(description, size).record(description.events[name]))
        says = plain(TO_RECORD[name](event))
        row = {"value": codec.encode(event).hex(), "says": says}
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _file(home: Path, release: Release) -> Path:
    return home / "history" / "golden" / f"{release.record}.v{release.version}.jsonl"


class _Values:
    """Values for fields of any type. `size`: "least" (smallest allowed), "usual" or "most"."""

    def __init__(self, description: Description, size: str) -> None:
        self.description = description
        self.size = size

    def record(self, record: RecordType) -> dict[str, Any]:
        return {field.name: self._value(field) for field in record.fields}

    def _value(self, field: Field) -> Any:
        if field.nullable and self.size == "least":
            return None
        if field.shape == "array":
            return [self._item(field) for _ in range(_COUNT[self.size])]
        if field.shape == "record":
            return self.record(self.description.parts[str(field.of)])
        if field.shape == "enum":
            symbols = self.description.enums[str(field.of)].symbols
            return symbols[0 if self.size == "least" else -1]
        return self._plain(field)

    def _item(self, field: Field) -> Any:
        part = self.description.parts.get(str(field.of))
        if part:
            return self.record(part)
        return self._bytes(16) if field.item == "id" else _TEXT[self.size]

    def _plain(self, field: Field) -> Any:
        if field.meaning in ("instant", "date"):
            return (_TIME if field.meaning == "instant" else _DAY)[self.size]
        if field.shape in ("id", "bytes"):
            return self._bytes(16 if field.shape == "id" else 28)
        if field.shape == "boolean":
            return self.size != "least"
        tables = {"string": _TEXT, "int": _INT, "long": _LONG, "double": _DOUBLE}
        return tables[field.shape][self.size]  # type: ignore[index]

    def _bytes(self, length: int) -> bytes:
        return bytes([{"least": 0x00, "usual": 0x5A, "most": 0xFF}[self.size]]) * length
