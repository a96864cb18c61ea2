"""One sale as a till shows it: what was sold, what became of it, and what it did to points."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from projections.catalog import item, location, version_at
from projections.catalog.barcodes import items_of
from projections.core import NotFound, Read
from projections.core.documents import Documents
from projections.core.instants import instant, micros
from projections.purchases import claim, projection, sale
from projections.purchases import documents as told
from projections.purchases.sale_state import SettledSale, settled
from projections.purchases.sold_units import SoldUnits
from schemas.currencies import MinorUnits, minor_units
from schemas.measures import Units, UnitTold, location_and_unit, shown

CorrectionKind = Literal["return", "void", "cancel", "amendment", "price_adjustment"]
KINDS: Mapping[str, CorrectionKind] = {
    told.RETURNED: "return",
    told.VOIDED: "void",
    told.CANCELLED: "cancel",
    told.AMENDED: "amendment",
    told.ADJUSTED: "price_adjustment",
}
EPOCH = date(1970, 1, 1)
SERVED_TWICE = "select sku, unit, quantity from ({listed}) d where event_id = %(id)s"
# the points of lots that belong to one of these profiles are among that profile's own entries
POINTS = """
select coalesce(program_id, %(default)s) as program, kind, sum(points)::bigint as points
from ({listed}) d
where profile_id = any(%(profiles)s) and transaction_id = %(id)s
    and (owner_id is null or owner_id <> all(%(profiles)s))
group by 1, kind
"""
DISCREPANCIES = """
select id, kind, since, sku, location_id, quantity, event_id from ({listed}) d
where subject_id = any(%(ids)s) order by since, id
"""
SETTLED = """
select discrepancy_id, kind, location_id from ({listed}) d
where discrepancy_id = any(%(ids)s) and subject_id = %(subject)s
"""


class SaleLine(BaseModel):
    """A line as amendments left it, and what became of its units. Money in minor units.

    `returned`: units that came back. `refunded`: units that were paid back although the goods did
    not come back. `cancelled`: before they were handed over. `voided`: by a void of the sale.
    """

    line_no: int
    sku: str
    name: str | None = Field(description="Null: the item was never described.")
    quantity: Units
    unit: UnitTold = None
    paid: int
    location_id: str
    location_name: str | None
    fulfilment: str
    returned: Units
    refunded: Units
    cancelled: Units
    voided: Units
    given_back: int = Field(description="Money given back by price adjustments.")
    kind: str = Field(description="What the line is for; only goods move stock.")
    discount: int = Field(description="What was taken off the line; `paid` is without it.")
    tax_rate: int | None = Field(description="In hundredths of a percent; null: not told.")
    tax_included: bool = Field(description="Whether `paid` has the tax in it.")
    expected_at: datetime | None = Field(
        description="Of a preorder, when its units are expected; null: it is none."
    )


class Correction(BaseModel):
    """A document that corrects the sale."""

    kind: CorrectionKind
    at: datetime
    location_id: str
    location_name: str | None
    event_id: UUID


class SaleDiscrepancy(BaseModel):
    """Something about the sale that does not fit; `/v1/discrepancies` has the same `id`."""

    id: UUID
    kind: str
    since: datetime
    sku: str | None
    location_id: str | None
    quantity: Units | None
    unit: UnitTold = None
    event_id: UUID | None
    settled: bool


class RateSum(BaseModel):
    """What was sold at one tax rate (hundredths of a percent), and the tax, as on the receipt."""

    rate: int
    net: int
    tax: int


class TakenOff(BaseModel):
    """A discount. `line_no` null: off the whole receipt, and in no line's `paid`."""

    line_no: int | None
    amount: int
    reason_code: str | None
    coupon_id: UUID | None


class PaidWith(BaseModel):
    """A means of payment, and how much was paid with it."""

    kind: str
    amount: int


class SaleReceipt(BaseModel):
    """What the receipt says beside its lines. Money in minor units of the currency.

    `not_adding_up`: what does not come to the total: `lines`, `tax`, `tenders`; `currency`: an
    amendment is in another one than the sale. An amendment says `tax`, `tax_by_rate` and
    `discounts` anew; tenders are those of the sale.
    """

    tax: int
    tax_by_rate: list[RateSum]
    discounts: list[TakenOff]
    tenders: list[PaidWith]
    staff_code: str | None
    register_code: str | None
    registration_number: str | None
    not_adding_up: list[str]


class SalePoints(BaseModel):
    """Points of the sale: earned, spent for it, taken back, given back, each 0 or more."""

    earned: int
    spent: int
    taken_back: int
    given_back: int


class ProgramPoints(SalePoints):
    """Points of the sale in a program that is not the default one."""

    program: str


class Sale(BaseModel):
    """A purchase with everything that became of it. `profile_id`: the buyer's, or of the claim."""

    transaction_id: UUID
    event_id: UUID
    occurred_at: datetime
    channel: str
    location_id: str
    location_name: str | None
    receipt_number: str | None
    business_date: date | None
    order_id: UUID | None = Field(description="The order that it serves; null: it is the order.")
    profile_id: UUID | None
    claimed: bool = Field(description="Whether a guest's purchase was claimed.")
    currency: str
    minor_units: MinorUnits
    total: int
    lines: list[SaleLine]
    receipt: SaleReceipt
    corrections: list[Correction]
    points: SalePoints | None = Field(
        description="Of the default program; null for a guest's purchase."
    )
    points_of_programs: list[ProgramPoints] = Field(
        description="Of other programs that it moved points in."
    )
    discrepancies: list[SaleDiscrepancy]


@projection.query("/v1/purchases/{transaction_id}", scope="purchases:read")
async def purchase(read: Read, transaction_id: UUID) -> Sale:
    """A purchase with its lines, corrections, points and discrepancies."""
    sales, claims = await read.together(
        (sale, {"transaction_id": [transaction_id]}), (claim, {"transaction_id": [transaction_id]})
    )
    whole = settled(sales[0]["documents"]) if sales else SettledSale()
    if not whole.known:
        raise NotFound("no purchase with this id has been applied")
    if whole.order is not None:
        rows = await read.listed("units_served_twice", SERVED_TWICE, id=UUID(whole.document))
        whole.take_off({(row["sku"], row["unit"]): row["quantity"] for row in rows})
    corrections = _corrections(sales[0]["documents"])
    names = await _Names.read(read, whole, corrections)
    owner = UUID(whole.owner) if whole.owner is not None else None
    claimed = owner is None and bool(claims)
    profile_id = claims[0]["profile_id"] if claimed else owner
    points = {} if profile_id is None else await _points(read, transaction_id, profile_id)
    return Sale(
        transaction_id=transaction_id,
        event_id=UUID(whole.document),
        occurred_at=instant(whole.at),
        channel=whole.channel,
        location_id=whole.location,
        location_name=names.location(whole.location),
        receipt_number=whole.receipt_number,
        business_date=day_of(whole.business_date),
        order_id=UUID(whole.order) if whole.order is not None else None,
        profile_id=profile_id,
        claimed=claimed,
        currency=whole.currency,
        minor_units=minor_units(whole.currency),
        total=whole.total,
        lines=[_line(sold, whole, names) for sold in whole.shown_lines],
        receipt=_receipt(whole),
        corrections=[
            Correction(
                kind=kind, at=instant(at), location_id=place, location_name=names.location(place),
                event_id=event_id,
            )
            for kind, at, place, event_id in corrections
        ],
        points=points.pop(read.setting("default_program"), None),
        points_of_programs=[
            ProgramPoints(program=program, **vars(one)) for program, one in sorted(points.items())
        ],
        discrepancies=await _discrepancies(read, transaction_id),
    )  # fmt: skip


def day_of(days: int | None) -> date | None:
    """The date so many days after 1970-01-01."""
    return None if days is None else EPOCH + timedelta(days=days)


class _Names:
    """Names of items and locations as they were when the sale was made.

    `skus`: by code that was told, the own sku of the item that it belongs to today.
    """

    def __init__(
        self, skus: Mapping[str, str], items: Iterable[dict[str, Any]],
        locations: Iterable[dict[str, Any]], at: int,
    ) -> None:  # fmt: skip
        self._skus = skus
        self._items = _by_code(items, "sku", at)
        self._locations = _by_code(locations, "location_id", at)

    @classmethod
    async def read(
        cls, read: Read, whole: SettledSale, corrections: Iterable[tuple[Any, int, str, UUID]]
    ) -> _Names:
        told_codes = {sold.line.sku for sold in whole.lines.values()}
        belonging = await items_of(read, told_codes, micros(datetime.now(UTC)))
        skus = {code: known.sku for code, known in belonging.items()}
        places = {sold.line.location or whole.location for sold in whole.lines.values()}
        places |= {whole.location, *(place for _, _, place, _ in corrections)}
        items, locations = await read.together(
            (item, {"sku": sorted({*skus.values()})}), (location, {"location_id": sorted(places)})
        )
        return cls(skus, items, locations, whole.at)

    def item(self, sku: str) -> str | None:
        return self._items.get(self._skus.get(sku, sku))

    def location(self, location_id: str) -> str | None:
        return self._locations.get(location_id)


def _by_code(rows: Iterable[dict[str, Any]], code: str, at: int) -> dict[str, str | None]:
    """By code the name at that time; the first name where none was in force yet."""
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        versions[row[code]].append(row)
    return {
        key: (version_at(own, at) or min(own, key=lambda row: int(row["valid_from"])))["name"]
        for key, own in versions.items()
    }


def _corrections(documents: Documents) -> list[tuple[CorrectionKind, int, str, UUID]]:
    """Kind, time, location and event id of what corrects the sale, in the order of time."""
    corrections = [
        (KINDS[document[0]], document[1], document[2], UUID(name))
        for name, document in documents.items()
        if document[0] in KINDS
    ]
    return sorted(corrections, key=lambda correction: (correction[1], correction[3]))


def _line(sold: SoldUnits, whole: SettledSale, names: _Names) -> SaleLine:
    place = sold.line.location or whole.location
    return SaleLine(
        line_no=sold.line.line_no,
        sku=sold.line.sku,
        name=names.item(sold.line.sku),
        quantity=shown(sold.line.quantity, sold.line.unit),
        unit=sold.line.unit,
        paid=sold.line.paid,
        location_id=place,
        location_name=names.location(place),
        fulfilment=sold.line.fulfilment,
        returned=shown(sold.returned, sold.line.unit),
        refunded=shown(sold.refunded, sold.line.unit),
        cancelled=shown(sold.cancelled, sold.line.unit),
        voided=shown(sold.voided, sold.line.unit),
        given_back=sold.given_back,
        kind=sold.line.kind,
        discount=whole.receipt.off_lines.get(sold.line.line_no, 0),
        tax_rate=whole.receipt.rate(sold.line),
        tax_included=whole.receipt.tax_included(sold.line, whole.told_lines, whole.total),
        expected_at=None if sold.line.expected_at is None else instant(sold.line.expected_at),
    )


def _receipt(whole: SettledSale) -> SaleReceipt:
    receipt = whole.receipt
    return SaleReceipt(
        tax=receipt.tax_told,
        tax_by_rate=[RateSum(rate=rate, net=net, tax=tax) for rate, net, tax in receipt.by_rate],
        discounts=[
            TakenOff(
                line_no=one.line_no, amount=one.amount, reason_code=one.reason,
                coupon_id=None if one.coupon is None else UUID(one.coupon),
            )
            for one in receipt.discounts
        ],
        tenders=[PaidWith(kind=kind, amount=amount) for kind, amount in receipt.tenders],
        staff_code=receipt.staff_code,
        register_code=receipt.register_code,
        registration_number=receipt.registration_number,
        not_adding_up=whole.not_adding_up,
    )  # fmt: skip


async def _points(read: Read, transaction_id: UUID, profile_id: UUID) -> dict[str, SalePoints]:
    """By program; the default program is always there."""
    default = read.setting("default_program")
    rows = await read.listed(
        "points_of_sales", POINTS, profiles=[profile_id], id=transaction_id, default=default
    )
    sums: dict[str, Counter[str]] = {default: Counter()}
    for row in rows:
        sums.setdefault(row["program"], Counter())[row["kind"]] += int(row["points"])
    return {program: _sale_points(kinds) for program, kinds in sums.items()}


def _sale_points(kinds: Counter[str]) -> SalePoints:
    return SalePoints(
        earned=kinds["earned"],
        spent=-kinds["redeemed"],
        taken_back=-kinds["reversed"],
        given_back=kinds["reinstated"],
    )


async def _discrepancies(read: Read, transaction_id: UUID) -> list[SaleDiscrepancy]:
    rows = await read.listed("discrepancies", DISCREPANCIES, of_subjects=True, ids=[transaction_id])
    if not rows:
        return []
    settlements = await read.listed(
        "settlements", SETTLED, ids=[row["id"] for row in rows], subject=transaction_id
    )
    decided = {(row["discrepancy_id"], row["kind"], row["location_id"]) for row in settlements}
    return [_discrepancy(row, decided) for row in rows]


def _discrepancy(row: dict[str, Any], decided: set[tuple[UUID, str, str]]) -> SaleDiscrepancy:
    place, quantity = row["location_id"], row["quantity"]
    location_id, unit = (None, None) if place is None else location_and_unit(place)
    return SaleDiscrepancy(
        id=row["id"], kind=row["kind"], since=instant(row["since"]), sku=row["sku"],
        location_id=location_id, quantity=None if quantity is None else shown(quantity, unit),
        unit=unit, event_id=row["event_id"],
        settled=any((row["id"], row["kind"], at) in decided for at in ("", location_id or "")),
    )  # fmt: skip
