"""What happens in a shop, as its tills, its web shop and its warehouse tell it.

Each verb sends one event, at once; inside `one_request` the events wait and go together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.situations.settling import decides_points
from tests.situations.wire import Event, Wire

STORE, EC, HEAD_OFFICE = "STORE", "EC", "HEAD_OFFICE"
BACK_IN_STOCK, NOT_RETURNED = "BACK_IN_STOCK", "NOT_RETURNED"
RIGHT, WRONG = "DOCUMENT_RIGHT", "DOCUMENT_WRONG"
IN_ORDER, BACKWARDS = "in order", "backwards"
ARRIVALS = (IN_ORDER, BACKWARDS)
DRAWN = "in a drawn order"
_SYSTEMS = {STORE: "pos", EC: "ec", HEAD_OFFICE: "backoffice"}
_OPENED = "2020-01-01T00:00:00Z"
_TICK, _NEVER = timedelta(microseconds=1), datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Sale:
    """A receipt or an order. `event`: as it was told first."""

    transaction: UUID
    order: UUID
    event: Event

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its lines, as told."""
        lines: list[dict[str, Any]] = self.event["lines"]
        return lines


@dataclass(frozen=True)
class Transfer:
    """Units on their way from one location to another."""

    transfer: UUID
    sku: str
    source: str
    target: str


@dataclass
class Facts:
    """Tells facts. `told`: by partition, where what may move points ends, until `settle`."""

    wire: Wire
    told: dict[str, int] = field(default_factory=dict)
    _waiting: list[Event] | None = None
    _queued: list[Event] = field(default_factory=list)
    _last: datetime = _NEVER

    # -- who and what --------------------------------------------------------------------

    def item(self, name: str = "ITEM", category: str = "clothes") -> str:
        """A new item. What is bought of the category clothes is not needed again for a year."""
        sku = f"{name}-{uuid4().hex[:12]}"
        described = self._event("ItemDescribed", HEAD_OFFICE, sku=sku, name=name)
        described |= {"category": category, "valid_from": _OPENED}
        self._queued.append(described)
        return sku

    def declares(self, sku: str, barcodes: list[str], **more: Any) -> Event:
        """Head office describes the item with its barcodes."""
        described = {"sku": sku, "name": sku, "category": "clothes", "valid_from": _OPENED}
        return self.tell("ItemDescribed", HEAD_OFFICE, **described | {"barcodes": barcodes} | more)

    def needs(self, kind: str, **of: Any) -> None:
        """What satisfies a need, and for how long; `of`: `sku` or `category`, `interval_days`."""
        self.tell(
            "NeedPolicySet", HEAD_OFFICE, policy_id=str(uuid4()), kind=kind, valid_from=_OPENED,
            **of,
        )  # fmt: skip

    def store(self, **more: Any) -> str:
        """A new store."""
        code = f"S-{uuid4().hex[:12].upper()}"
        self.tell(
            "LocationDescribed", HEAD_OFFICE, location_id=code, kind="STORE", name="A new store",
            valid_from=_OPENED, **more,
        )  # fmt: skip
        return code

    def member(self) -> UUID:
        """A new customer with a store card; the card's profile."""
        return uuid4()

    def account_of(self, member: UUID) -> UUID:
        """The same customer's account in the web shop: another profile."""
        account = uuid4()
        self.tell(
            "ProfilesLinked", HEAD_OFFICE, link_id=uuid4(), profile_id=member,
            other_profile_id=account, decided_by="PERSON", actor="staff", rule_version="1",
        )  # fmt: skip
        return account

    # -- sales and what corrects them ----------------------------------------------------

    def sells(
        self, *lines: str | dict[str, Any], to: UUID | None = None, at: str = "S001",
        channel: str = STORE, **more: Any,
    ) -> Sale:  # fmt: skip
        """A sale; a line is made by `line`, or is an item of which one is sold for 1,000 yen.

        `more`: other fields of the event, and `when`, `till`, `event_id` of its envelope.
        """
        told = [line(one) if isinstance(one, str) else dict(one) for one in lines]
        for number, one in enumerate(told, 1):
            one.setdefault("line_no", number)
        transaction = more.pop("transaction_id", None) or uuid4()
        total = more.pop("total", sum(one["net_paid"] for one in told))
        event = self.tell(
            "PurchaseCompleted", channel, at, transaction_id=transaction, profile_id=to,
            location_id=at, currency=more.pop("currency", "JPY"), total=total, lines=told, **more,
        )  # fmt: skip
        order = more.get("order_id") or transaction
        return Sale(transaction, order, event)

    def orders(self, *lines: str | dict[str, Any], at: str = "W1", **more: Any) -> Sale:
        """A paid order of the web shop, whose lines are shipped from `at` unless they say other."""
        told = [line(one) if isinstance(one, str) else dict(one) for one in lines]
        shipped = [{"fulfilment": "SHIP"} | one for one in told]
        return self.sells(*shipped, at=at, channel=EC, **more)

    def repeats(self, sale: Sale, **changes: Any) -> Event:
        """The sale once more under another event id, as a till does that lost the answer."""
        event = sale.event | {key: _plain(value) for key, value in changes.items()}
        return self.resend(event | {"meta": event["meta"] | {"event_id": str(uuid4())}})

    def returns(
        self, sale: Sale | UUID, *lines: dict[str, Any], by: UUID | None = None, at: str = "S001",
        disposition: str = BACK_IN_STOCK, channel: str = STORE, **more: Any,
    ) -> Event:  # fmt: skip
        """Goods of a sale come back, without the card unless `by` says whose; all unless `lines`.

        A line is made by `back`. `sums_to`: what was refunded in all, else what the lines say.
        """
        if isinstance(sale, Sale) and not lines:
            lines = tuple(
                back(one["sku"], one["quantity"], one["line_no"], one["net_paid"], **_counted(one))
                for one in sale.lines
            )
        told = [{"disposition": disposition} | one for one in lines]
        total = more.pop("sums_to", sum(one["refund"] for one in told))
        return self.tell(
            "PurchaseReturned", channel, at, location_id=at, profile_id=by, currency="JPY",
            transaction_id=sale.transaction if isinstance(sale, Sale) else sale,
            total=total, lines=told, **more,
        )  # fmt: skip

    def voids(self, sale: Sale, by: UUID | None = None, channel: str = STORE, **more: Any) -> Event:
        """The sale did not happen after all; told without the card unless `by` says whose."""
        told = sale.event
        fields = {name: told[name] for name in ("currency", "total", "lines")}
        return self.tell(
            "PurchaseVoided", channel, told["location_id"], transaction_id=sale.transaction,
            location_id=told["location_id"], profile_id=by, reason_code="mistake", **fields, **more,
        )  # fmt: skip

    def cancels(
        self, sale: Sale, sku: str, units: int = 1, number: int = 1, refund: int = 0,
        at: str = "W1", channel: str = EC, **more: Any,
    ) -> Event:  # fmt: skip
        """Units of an order are cancelled before they left."""
        return self.tell(
            "OrderLineCancelled", channel, at, transaction_id=sale.transaction, sku=sku,
            order_id=sale.order, line_no=number, quantity=units, refund=refund, currency="JPY",
            location_id=at, **more,
        )  # fmt: skip

    def attributes(self, sale: Sale, member: UUID, **more: Any) -> Event:
        """A till says that a guest's sale was this member's: points and list move to them."""
        return self.tell(
            "PurchaseAttributed", STORE, "S001", transaction_id=sale.transaction,
            profile_id=member, points_treatment="RECALCULATE", proof="receipt", **more,
        )  # fmt: skip

    # -- stock ---------------------------------------------------------------------------

    def receives(self, sku: str, at: str, units: int, **more: Any) -> Event:
        """Goods arrive."""
        return self._moves("StockReceived", sku, at, units, **more)

    def counts(
        self, sku: str, at: str, units: int, when: datetime | None = None, **more: Any
    ) -> Event:
        """Somebody counts; `when`: now."""
        counted_at = when or self.now()
        return self._moves("StockCounted", sku, at, units, counted_at=counted_at, **more)

    def adjusts(self, sku: str, at: str, units: int, **more: Any) -> Event:
        """Units were found, or are gone when negative."""
        return self._moves("StockAdjusted", sku, at, units, reason_code="shrinkage", **more)

    def expects(
        self, sku: str, at: str, units: int, on: datetime, document: str, **more: Any
    ) -> Event:
        """A supplier's delivery is announced for a date."""
        return self._moves(
            "InboundExpected", sku, at, units, expected_at=on, document_id=document, **more
        )

    def allocates(
        self, order: Sale | UUID, sku: str, at: str, units: int = 1, number: int = 1, **more: Any
    ) -> Event:
        """Units are promised to an order."""
        return self._of_order("StockAllocated", order, sku, at, units, number, **more)

    def releases(
        self, order: Sale | UUID, sku: str, at: str, units: int = 1, number: int = 1, **more: Any
    ) -> Event:
        """The promise ends without shipment."""
        return self._of_order("AllocationReleased", order, sku, at, units, number, **more)

    def ships(
        self, order: Sale | UUID, sku: str, at: str, units: int = 1, number: int = 1, **more: Any
    ) -> Event:
        """Units of an order leave."""
        return self._of_order("StockShipped", order, sku, at, units, number, **more)

    def hands_over(
        self, order: Sale | UUID, sku: str, at: str, units: int = 1, number: int = 1, **more: Any
    ) -> Event:
        """A customer picks units of an order up."""
        return self._of_order("OrderLineHandedOver", order, sku, at, units, number, **more)

    def sends_on(self, sku: str, source: str, target: str, units: int, **more: Any) -> Transfer:
        """Units leave for another location."""
        transfer = Transfer(uuid4(), sku, source, target)
        self._transfers("TransferShipped", transfer, source, target, quantity=units, **more)
        return transfer

    def takes_in(
        self, transfer: Transfer, units: int, lost: int = 0, at: str | None = None, **more: Any
    ) -> Event:
        """Units of a transfer arrive, where they were sent unless `at` says elsewhere."""
        target = at or transfer.target
        return self._transfers(
            "TransferReceived", transfer, target, target, quantity=units, discrepancy=lost, **more
        )

    # -- inquiries -----------------------------------------------------------------------

    def inquires(self, member: UUID, inquiry: UUID | None = None) -> UUID:
        """A member asks something."""
        inquiry = inquiry or uuid4()
        self.tell(
            "InquiryOpened", "CALL_CENTRE", inquiry_id=inquiry, profile_id=member,
            topic="return/damaged", text="It is broken.",
        )  # fmt: skip
        return inquiry

    def writes(self, inquiry: UUID, member: UUID | None, **more: Any) -> Event:
        """A message is added to an inquiry, in the name of this profile."""
        return self.tell(
            "InquiryMessageAdded", "CALL_CENTRE", inquiry_id=inquiry, profile_id=member,
            author="CUSTOMER", text="Is anybody there?", **more,
        )  # fmt: skip

    def closes(self, inquiry: UUID, member: UUID | None) -> Event:
        """Staff close an inquiry."""
        return self.tell(
            "InquiryClosed", "CALL_CENTRE", inquiry_id=inquiry, profile_id=member,
            reason_code="exchanged",
        )  # fmt: skip

    # -- how it is sent ------------------------------------------------------------------

    @contextmanager
    def one_request(
        self, sent_at: datetime | None = None, backwards: bool = False
    ) -> Iterator[None]:
        """What is told inside goes in one request.

        `sent_at`: what the sender's clock says then. `backwards`: the last of it first.
        """
        self._waiting = []
        try:
            yield
            waiting, self._waiting = self._waiting[:: -1 if backwards else 1], None
            self._send(waiting, {} if sent_at is None else {"Hitotsu-Sent-At": _plain(sent_at)})
        finally:
            self._waiting = None

    @contextmanager
    def arriving(self, how: str) -> Iterator[None]:
        """What is told inside arrives one by one, or in one request, the last of it first."""
        if how == BACKWARDS:
            with self.one_request(backwards=True):
                yield
        else:
            yield

    def tell(self, kind: str, channel: str, store: str | None = None, /, **fields: Any) -> Event:
        """Sends an event; `when`, `till`, `event_id` go to its envelope."""
        return self.resend(self._event(kind, channel, store, **fields))

    def resend(self, event: Event) -> Event:
        """Sends an event as it is."""
        if self._waiting is None:
            self._send([event])
        else:
            self._waiting.append(event)
        return event

    def now(self) -> datetime:
        """The shop's time, which never stands still."""
        self._last = max(datetime.now(UTC), self._last + _TICK)
        return self._last

    def _send(self, events: Sequence[Event], headers: Mapping[str, str] | None = None) -> None:
        self._describe_items()
        for place, offset in self.wire.places(events, headers):
            self._note_told(place, offset)

    def _describe_items(self) -> None:
        """Sends what items are: it is told by head office, whose clock is right."""
        if self._queued:
            queued, self._queued = self._queued, []
            for place, offset in self.wire.places(queued):
                self._note_told(place, offset)

    def _note_told(self, place: str, offset: int) -> None:
        if decides_points(place):
            self.told[place] = max(self.told.get(place, 0), offset + 1)

    def _event(
        self, kind: str, channel: str, store: str | None = None, /, **fields: Any
    ) -> dict[str, Any]:
        when, till = fields.pop("when", None), fields.pop("till", None)
        event_id, receipt = fields.pop("event_id", None), fields.pop("receipt", None)
        producer = {"system": _SYSTEMS.get(channel, "crm"), "channel": channel}
        producer |= {"store_id": store} if store else {}
        producer |= {"terminal_id": till} if till else {}
        producer |= {"terminal_sequence": receipt} if receipt is not None else {}
        meta = {"event_id": event_id or uuid4(), "occurred_at": when or self.now()}
        told = {"type": kind, "meta": meta | {"producer": producer}}
        event: dict[str, Any] = _plain(told | fields)
        return event

    def _moves(self, kind: str, sku: str, at: str, units: int, **more: Any) -> Event:
        channel = more.pop("channel", STORE)
        return self.tell(kind, channel, at, sku=sku, location_id=at, quantity=units, **more)

    def _of_order(
        self, kind: str, order: Sale | UUID, sku: str, at: str, units: int, number: int, **more: Any
    ) -> Event:
        name = order.order if isinstance(order, Sale) else order
        return self._moves(kind, sku, at, units, order_id=name, line_no=number, **more)

    def _transfers(
        self, kind: str, transfer: Transfer, store: str, target: str, **more: Any
    ) -> Event:
        return self.tell(
            kind, STORE, store, transfer_id=transfer.transfer, sku=transfer.sku,
            from_location_id=transfer.source, to_location_id=target, **more,
        )  # fmt: skip


def line(sku: str, units: int = 1, yen: int = 1_000, **more: Any) -> dict[str, Any]:
    """A line of a sale: so many units for so many yen in all.

    `more`: `fulfilment` (IMMEDIATE, SHIP, PICKUP), `location_id`, `components` and the like.
    """
    price = {"unit_price": yen // max(1, units), "net_paid": yen}
    return {"sku": sku, "quantity": units} | price | more


def back(
    sku: str, units: int = 1, number: int = 1, refund: int = 1_000, **more: Any
) -> dict[str, Any]:
    """A line of a return: so many units of line `number` come back for so many yen."""
    return {"line_no": number, "sku": sku, "quantity": units, "refund": refund} | more


def _counted(line: dict[str, Any]) -> dict[str, Any]:
    """How a line is counted, where it says so."""
    return {name: line[name] for name in ("unit", "scale") if name in line}


def _plain(value: Any) -> Any:
    """As JSON has it; what is None is left out."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
