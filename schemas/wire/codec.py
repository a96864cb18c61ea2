"""Encodes events to bytes and decodes them. Only this module uses the Avro library."""

from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from io import BytesIO
from struct import Struct
from typing import Any
from urllib.parse import quote

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from xxhash import xxh3_64_intdigest

from schemas.codes import forms_of, with_normal_codes
from schemas.generated.events import Event
from schemas.generated.records import FROM_RECORD, TO_RECORD
from schemas.history.releases import Release, Releases, releases
from schemas.topics import TOGETHER, former_key_fields, key_fields
from schemas.wire.added_fields import with_added_fields
from schemas.wire.bounds import BODY_MAX, EPOCH
from schemas.wire.readers import Read, reader
from schemas.wire.writers import Write, writer

_EPOCH = EPOCH.replace(tzinfo=None)
HEADER = 5  # magic byte 0, then the schema id, four bytes, big-endian
_schema_id = Struct(">xI").unpack_from
Schema = Any  # what fastavro's parse_schema gives back
_Reader = tuple[Schema, Schema | None, Callable[[dict[str, Any]], Event]]
_Writer = tuple[bytes, Schema, Callable[[Any], dict[str, Any]], Write]


class Undecodable(Exception):
    """A value that cannot be decoded to an event; the text is the reason."""

    def __init__(self, reason: str, schema_id: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.schema_id = schema_id


class Codec:
    """Decodes all released schema versions to the present event classes; encodes with the newest
    versions.
    """

    def __init__(self, known: Releases) -> None:
        self._known = known
        self._parsed: dict[int, Schema] = {}
        self._readers: dict[int, _Reader] = {}
        self._writers: dict[str, _Writer] = {}
        self._compiled: dict[bytes, Read] = {}

    def encode(self, event: Event) -> bytes:
        """The event in the Confluent wire format, with the newest schema of its type."""
        *_, write = self._writers.get(event.NAME) or self._writer(event.NAME)
        try:
            return write(event)
        except Exception:
            return self._encode(event)

    def _encode(self, event: Event) -> bytes:
        """Encodes with the Avro library, which raises a precise error if the event is invalid."""
        header, schema, to_record, _ = self._writers.get(event.NAME) or self._writer(event.NAME)
        buffer = BytesIO()
        buffer.write(header)
        schemaless_writer(buffer, schema, to_record(event))
        return buffer.getvalue()

    def decode(self, value: bytes | None) -> Event:
        """Decodes a record's value to its event; raises Undecodable if that is not possible."""
        if value is not None and len(value) <= BODY_MAX:
            read = self._compiled.get(value[:HEADER])
            if read is not None:
                try:
                    return read(value)
                except Exception:
                    pass
        return self._decode(value)

    def _decode(self, value: bytes | None) -> Event:
        identity = self.schema_id(value)
        reader = self._readers.get(identity) or self._reader(identity)
        buffer = BytesIO(value)  # type: ignore[arg-type]  # schema_id refused None
        buffer.seek(HEADER)
        try:
            record = schemaless_reader(buffer, reader[0], reader[1])
            event: Event = with_normal_codes(reader[2](record))  # type: ignore[arg-type]
        except Exception as error:  # the Avro library raises a dozen kinds for bad bytes
            raise Undecodable(_reason(error), identity) from None
        if buffer.tell() != len(value):  # type: ignore[arg-type]
            raise Undecodable("bytes are left over after the event", identity)
        return event

    def schema_id(self, value: bytes | None) -> int:
        """The schema id in the value's header; raises Undecodable for a wrong header or length."""
        if not value:
            raise Undecodable("there is no value" if value is None else "the value is empty")
        if len(value) <= HEADER:
            raise Undecodable("the value is not longer than its 5-byte header")
        if value[0]:
            raise Undecodable(f"the value begins with {value[0]}, not with the magic byte 0")
        if len(value) > BODY_MAX:
            raise Undecodable("the value is longer than 256 KiB")
        return int.from_bytes(value[1:HEADER], "big")

    def same_event(self, value: bytes, ledger_schema_id: int, ledger_hash: int) -> bool:
        """Whether an encoded resend equals the event of which the ledger has schema id and hash.

        If the schema versions differ, they are equal if the resend, converted to the recorded
        version, has the recorded hash, and converting it back loses nothing.
        """
        identity = self.schema_id(value)
        if identity == ledger_schema_id:
            return body_hash(value) == ledger_hash
        sent, applied = self._known.by_id.get(identity), self._known.by_id.get(ledger_schema_id)
        if sent is None or applied is None or sent.record != applied.record:
            return False
        mine, theirs = self._schema(identity), self._schema(ledger_schema_id)
        try:
            there = _write(theirs, _read(value[HEADER:], mine, theirs))
            back = _read(there, theirs, mine)
            return _hash(there) == ledger_hash and back == _read(value[HEADER:], mine, None)
        except Exception:  # a value that cannot be converted counts as different
            return False

    def _schema(self, identity: int) -> Schema:
        parsed = self._parsed.get(identity)
        if parsed is None:
            parsed = parse_schema(self._known.schema(self._known.by_id[identity]))
            self._parsed[identity] = parsed
        return parsed

    def _reader(self, identity: int) -> _Reader:
        release = self._known.by_id.get(identity)
        if release is None:
            raise Undecodable(f"this release has no schema with the id {identity}", identity)
        newest = self._known.newest[release.record].id
        resolved = None if newest == identity else self._schema(newest)
        made = (self._schema(identity), resolved, FROM_RECORD[release.record])
        self._readers[identity] = made
        read = self._compile(release, self._known.by_id[newest])
        if read is not None:
            self._compiled[b"\0" + identity.to_bytes(4, "big")] = read
        return made

    def _compile(self, release: Release, newest: Release) -> Read | None:
        """A reader that needs no library; None for an older schema that differs in more than
        added fields, or whose added fields the event classes do not have.
        """
        schema = self._known.schema(release)
        if release == newest:
            return reader(schema, HEADER)
        extended = with_added_fields(schema, self._known.schema(newest))
        try:
            return reader(extended, HEADER) if extended is not None else None
        except (AttributeError, TypeError):
            return None

    def _writer(self, name: str) -> _Writer:
        identity = self._known.newest[name].id
        header = b"\0" + identity.to_bytes(4, "big")
        write = writer(self._known.schema(self._known.newest[name]), header)
        made = (header, self._schema(identity), TO_RECORD[name], write)
        self._writers[name] = made
        return made


def _read(body: bytes, writer: Schema, reader: Schema | None) -> Any:
    return schemaless_reader(BytesIO(body), writer, reader)


def _write(schema: Schema, record: Any) -> bytes:
    buffer = BytesIO()
    schemaless_writer(buffer, schema, record)
    return buffer.getvalue()


def _reason(error: Exception) -> str:
    """The reason of a decoding error, without quoting the bytes."""
    if isinstance(error, EOFError):
        return "the value ends in the middle of the event"
    if isinstance(error, UnicodeDecodeError):
        return "a text is not UTF-8"
    if type(error) is ValueError and error.args and error.args[0] in _OWN_WORDS:
        return str(error)
    return "the bytes do not follow their schema"


_OWN_WORDS = frozenset(
    {
        "a number does not fit its 32 bits",
        "a time lies before 1900 or after 2199",
        "a date lies before 1900 or after 2199",
    }
)


def _hash(body: bytes) -> int:
    digest = xxh3_64_intdigest(body)
    return digest - (1 << 64) if digest >> 63 else digest


def schema_in(value: bytes) -> int:
    """The schema id of a value whose header was already checked."""
    number: int = _schema_id(value)[0]
    return number


def body_hash(value: bytes) -> int:
    """Signed 64-bit hash of the value's body, by which resends are compared."""
    digest = xxh3_64_intdigest(value[HEADER:])
    return digest - (1 << 64) if digest >> 63 else digest


def key_of(event: Event) -> bytes:
    """The event's record key: the 16 bytes of an id, or UTF-8 text."""
    if event.NAME == "DeadLettered":
        return f"{event.source_topic}-{event.source_partition}".encode()  # type: ignore[union-attr]
    key = _first_value(event, key_fields(event.NAME))
    if key is None:
        raise ValueError(f"{event.NAME} has no value in any of its key fields")
    return key


def is_key_of(event: Event, key: bytes | None) -> bool:
    """Whether a record of this event may have this key: the present or a former record key.

    A code in it may be in another form than in the event, as it was before codes had a normal form.
    """
    value = getattr(event, key_fields(event.NAME)[0], None)  # its first key field: nearly always
    if value is not None and value == key:
        return True
    return (
        key_of(event) == key
        or any(
            _first_value(event, fields) == key is not None
            for fields in former_key_fields(event.NAME)
        )
        or _is_former_code(event, key)
    )


def _is_former_code(event: Event, key: bytes | None) -> bool:
    fields, forms = key_fields(event.NAME), forms_of(event.NAME)
    name = next((one for one in fields if getattr(event, one, None) is not None), "")
    if key is None or not callable(forms.get(name)):
        return False
    try:
        return bool(forms[name](key.decode()) == getattr(event, name))
    except UnicodeDecodeError:
        return False


def _first_value(event: Event, fields: tuple[str, ...]) -> bytes | None:
    for field in fields:
        value = getattr(event, field, None)
        if value is not None:
            return value if isinstance(value, bytes) else str(value).encode()
        if TOGETHER in field:  # never the name of a field, so the others are found first
            parts = [str(getattr(event, part)) for part in field.split(TOGETHER)]
            return TOGETHER.join(parts).encode()
    return None


def headers_of(event: Event) -> list[tuple[str, bytes]]:
    """The CloudEvents 1.0 attributes of the event, in Kafka's binary mode."""
    meta, producer = event.meta, event.meta.producer
    identity = meta.event_id.hex()
    groups = (identity[:8], identity[8:12], identity[12:16], identity[16:20], identity[20:])
    source = (producer.system, producer.store_id, producer.terminal_id, producer.terminal_epoch)
    when = _EPOCH + timedelta(microseconds=meta.occurred_at)
    headers = [
        ("content-type", b"application/avro"),
        ("ce_specversion", b"1.0"),
        ("ce_id", "-".join(groups).encode()),
        ("ce_source", _source(*source)),
        ("ce_type", b"hitotsu." + event.NAME.encode()),
        ("ce_time", when.isoformat().encode() + b"Z"),
    ]
    if producer.terminal_sequence is not None:
        headers.append(("ce_sequence", b"%d" % producer.terminal_sequence))
    return headers


@lru_cache(10_000)
def _source(system: str, store: str | None, terminal: str | None, epoch: int) -> bytes:
    """/system/store/terminal/epoch, with - for an absent part; cached, as there are few sources."""
    parts = (system, store or "-", terminal or "-", str(epoch))
    return "".join("/" + quote(part, safe="") for part in parts).encode()


_CODEC = Codec(releases())
encode = _CODEC.encode
decode = _CODEC.decode
schema_id = _CODEC.schema_id
same_event = _CODEC.same_event
