"""How is an event written and read without the product? fastavro and the released schemas."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro

Record = dict[str, Any]
SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "history"
HEADER = 5
KEYS = {
    "commerce.purchases": ("transaction_id",),
    "commerce.points": ("profile_id",),
    "commerce.inventory": ("sku",),
    "commerce.inquiries": ("profile_id", "inquiry_id"),
    "commerce.members": ("profile_id",),
    "commerce.catalog": ("policy_id", "program_id", "rule_set", "sku", "location_id"),
    "commerce.contacts": ("profile_id",),
    "commerce.settings": ("discrepancy_id",),
    "commerce.terminals": ("location_id", "terminal_id"),
}
DEAD_LETTERS = "commerce.dead-letters"


class Unreadable(Exception):
    """Bytes that are no event."""


class Wire:
    """Confluent frames of the newest released schema of each record."""

    def __init__(self) -> None:
        known = json.loads((SCHEMAS / "ids.json").read_text())
        self.ids: dict[str, int] = {}
        self.topics: dict[str, str] = {}
        self._names: dict[int, str] = {}
        self._schemas: dict[int, Any] = {}
        for number, release in sorted(known.items(), key=lambda item: item[1]["version"]):
            name, identity = release["record"], int(number)
            schema = json.loads((SCHEMAS / release["file"]).read_text())
            self._schemas[identity] = fastavro.parse_schema(schema)
            self._names[identity] = name
            self.ids[name] = identity
            self.topics[name] = release["subject"].partition("-hitotsu.")[0]

    def encode(self, name: str, record: Record) -> bytes:
        """A value as the log holds it."""
        body = io.BytesIO()
        fastavro.schemaless_writer(body, self._schemas[self.ids[name]], record)
        return b"\0" + self.ids[name].to_bytes(4, "big") + body.getvalue()

    def decode(self, value: bytes | None) -> tuple[str, Record]:
        """The event's name and fields, or `Unreadable`."""
        if value is None or len(value) <= HEADER or value[0] != 0:
            raise Unreadable("no frame")
        identity = int.from_bytes(value[1:HEADER], "big")
        if identity not in self._schemas:
            raise Unreadable("unknown schema")
        body = io.BytesIO(value[HEADER:])
        try:
            record = fastavro.schemaless_reader(body, self._schemas[identity], None)
        except Exception as error:  # fastavro raises a dozen kinds for bad bytes
            raise Unreadable("bad bytes") from error
        if body.tell() != len(value) - HEADER:
            raise Unreadable("trailing bytes")
        assert isinstance(record, dict)
        return self._names[identity], record

    def key(self, name: str, record: Record) -> bytes:
        """The key that keeps an event in order with what it depends on."""
        topic = self.topics[name]
        if topic == DEAD_LETTERS:
            return f"{record['source_topic']}-{record['source_partition']}".encode()
        if topic == "commerce.terminals":
            return "/".join(str(record[field]) for field in KEYS[topic]).encode()
        fields = ("transaction_id",) if name == "PurchaseAttributed" else KEYS[topic]
        value = next(record[field] for field in fields if record.get(field) is not None)
        return value if isinstance(value, bytes) else str(value).encode()
