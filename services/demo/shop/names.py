"""Ids and names in the demo's shop.

Every id is a function of the rows, so that a second run sends the same events again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.barcodes import check_digit
from services.sdk.ids import profile_id

JST = timezone(timedelta(hours=9), "JST")
POS, EC, WAREHOUSE, HEAD_OFFICE = "pos", "ec", "wms", "mdm"
CHANNELS = {POS: "STORE", EC: "EC", WAREHOUSE: "HEAD_OFFICE", HEAD_OFFICE: "HEAD_OFFICE"}
SELLING = {"STORE": POS, "EC": EC}  # systems that sell, by channel
STORES, TERMINALS = 5, 3
BARCODE_EVERY, SCANNING_STORE = 10, 2
ONE_IN = 5  # the EC account of every fifth customer has no phone number
CURRENCY = "JPY"  # a cent of the generated prices is a yen here
OPENING = datetime(1998, 1, 1, tzinfo=JST)

_DEMO = uuid5(NAMESPACE_URL, "urn:hitotsu:demo")

Json = dict[str, Any]


def demo_id(*parts: object) -> str:
    """A UUIDv5 of these parts: the same parts give the same id."""
    return str(uuid5(_DEMO, "/".join(map(str, parts))))


def uuid7_of(at: datetime, *parts: object) -> str:
    """A UUIDv7 of that time whose other bits follow from these parts."""
    bits = uuid5(_DEMO, "/".join(map(str, parts))).int & (1 << 74) - 1
    version = int(at.timestamp() * 1000) << 80 | 7 << 76 | bits >> 62 << 64
    return str(UUID(int=version | 2 << 62 | bits & (1 << 62) - 1))


def profile(system: str, customer: int) -> str:
    """The id of the customer's profile in a system."""
    return profile_id(system, customer_id(system, customer))


def customer_id(system: str, customer: int) -> str:
    """The system's own id of a customer: the card number or the EC account."""
    return f"{'9' if system == POS else 'ec-'}{customer:09d}"


def phone(customer: int) -> str:
    """A Japanese mobile number, as dialled."""
    return f"090{10_000_000 + customer:08d}"


def shares_a_phone(customer: int) -> bool:
    """Whether both profiles of the customer have the phone number."""
    return customer % ONE_IN != 0


def till(terminal: int) -> str:
    return f"TILL-{terminal}"


def transaction(system: str, number: int) -> str:
    return demo_id("transaction", system, number)


def location(store: int | None) -> str:
    """The id of a store; None: of the warehouse from which EC ships."""
    return "WAREHOUSE-1" if store is None else f"STORE-{store}"


def sku(item: int) -> str:
    return str(item)


def barcode(item: int) -> str | None:
    """The GTIN-13 of an item beside its number; only every tenth item has one."""
    if item % BARCODE_EVERY:
        return None
    digits = f"20{item:010d}"
    return f"{digits}{check_digit(digits)}"


def code(item: int, store: int | None) -> str:
    """The code by which a store names an item; None: the web shop."""
    return (barcode(item) if store == SCANNING_STORE else None) or sku(item)


def full_width(text: str) -> str:
    """The text in full-width letters."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


def category(name: str | None) -> str:
    return name or "Unsorted"


def slug(words: str) -> str:
    """Lower-case words joined by hyphens, for topics and reason codes."""
    return "-".join(words.lower().split())


def instant(at: datetime) -> str:
    return at.isoformat()


def meta(
    system: str,
    event_id: str,
    at: datetime,
    *,
    store: int | None = None,
    terminal: int | None = None,
    sequence: int | None = None,
    correlation: str | None = None,
    causation: str | None = None,
) -> Json:
    """The `meta` of an event; None values are omitted."""
    producer: Json = {"system": system, "channel": CHANNELS[system]}
    if store is not None:
        producer["store_id"] = location(store)
    if terminal is not None:
        producer["terminal_id"] = till(terminal)
    if sequence is not None:
        producer["terminal_sequence"] = sequence
    envelope: Json = {"event_id": event_id, "occurred_at": instant(at), "producer": producer}
    if correlation is not None:
        envelope["correlation_id"] = correlation
    if causation is not None:
        envelope["causation_id"] = causation
    return envelope


SCENE = (transaction("scene", 1), transaction("scene", 2))
"""Transaction ids of the scene's sale and order, which are not in the generated tables."""
