"""Short words for the facts of a shop, so that tests read as sentences."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from projections.core.memory import Memory
from projections.core.tables import StoredTable
from schemas.generated.events import PurchaseCompleted, PurchaseReturned
from schemas.generated.events.parts import Identifier, Meta, Producer, PurchaseLine, ReturnedLine

_numbers = count(1)
MINUTE = 60_000_000
T0 = 1_750_000_000_000_000


def named(name: str) -> bytes:
    """An id by name: the same name, the same id."""
    return uuid5(NAMESPACE_URL, name).bytes


def meta(channel: str = "STORE", minute: int = 0, receipt: int | None = None) -> Meta:
    """An envelope with an id of its own."""
    producer = Producer(system="pos" if channel == "STORE" else "ec", channel=channel)
    if receipt is not None:
        producer = Producer(
            system="pos",
            channel=channel,
            store_id="GINZA",
            terminal_id="1",
            terminal_epoch=0,
            terminal_sequence=receipt,
        )
    return Meta(
        event_id=UUID(int=next(_numbers)).bytes, occurred_at=T0 + minute * MINUTE, producer=producer
    )


def sold(
    sku: str, quantity: int = 1, *, channel: str = "STORE", minute: int = 0,
    who: str | None = "hanako", receipt: str = "r", where: str = "GINZA",
    fulfilment: str = "IMMEDIATE",
) -> PurchaseCompleted:  # fmt: skip
    line = PurchaseLine(
        line_no=1,
        sku=sku,
        quantity=quantity,
        unit_price=100,
        net_paid=100 * quantity,
        fulfilment=fulfilment,
    )
    return PurchaseCompleted(
        meta=meta(channel, minute),
        transaction_id=named(receipt),
        location_id=where,
        currency="JPY",
        total=line.net_paid,
        lines=[line],
        profile_id=named(who) if who else None,
    )


def brought_back(
    sku: str, quantity: int = 1, *, minute: int = 0, who: str = "hanako", receipt: str = "r",
    disposition: str = "BACK_IN_STOCK",
) -> PurchaseReturned:  # fmt: skip
    line = ReturnedLine(line_no=1, sku=sku, quantity=quantity, refund=100, disposition=disposition)
    return PurchaseReturned(
        meta=meta("STORE", minute),
        transaction_id=named(receipt),
        location_id="GINZA",
        currency="JPY",
        total=100,
        lines=[line],
        profile_id=named(who),
    )


def identifier(kind: str, value: str, verified: bool = True) -> Identifier:
    return Identifier(
        kind=kind, value=b"sealed", value_index=named(f"{kind} {value}"), verified=verified
    )


def tell(memory: Memory, events: Iterable[Any], source: int = 0) -> Memory:
    """Events, in this order."""
    for event in events:
        memory.take(event, source)
    return memory


def row(memory: Memory, table: StoredTable, *key: Any) -> dict[str, Any]:
    """One row of a table."""
    return memory.table(table)[key]
