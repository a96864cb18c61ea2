"""The list of discrepancies."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from projections.core import Page, Read
from projections.core.instants import instant
from projections.discrepancies import projection, settlement
from projections.discrepancies.kinds import KindName
from schemas.fields import AskedCode, AskedLocation
from schemas.measures import Units, UnitTold, location_and_unit, location_sql, shown

# `open_after`: a decision of before does not count
SETTLES = f"""s.discrepancy_id = d.id and s.kind = d.kind
    and s.subject_id = coalesce(d.subject_id, d.id)
    and s.location_id in ('', coalesce({location_sql("d.location_id")}, ''))
    and (d.open_after is null or s.settled_at >= d.open_after)"""
LATEST = f"""lateral (
    select * from discrepancy_settlement s where {SETTLES}
    order by settled_at desc, resolution desc limit 1
) s on true"""
LISTED = """
select d.id, d.kind, coalesce(d.since, 0)::bigint as since, d.sku, d.location_id, d.terminal,
    d.subject_id, l.document, d.event_id, d.quantity, s.settled_at, s.resolution, s.actor,
    s.reason_code
from ({listed}) d left join ledger l using (event_id)
left join {latest}
where (%(kind)s::text is null or d.kind = %(kind)s)
    and (%(location_id)s::text is null
        or {location} = %(location_id)s)
    and (%(sku)s::text is null or d.sku = %(sku)s)
    and (s.discrepancy_id is not null) = %(settled)s
    and (%(id)s::uuid is null
        or (coalesce(d.since, 0), d.id) < (%(since)s::bigint, %(id)s::uuid))
order by coalesce(d.since, 0) desc, d.id desc limit %(limit)s
""".replace("{latest}", LATEST).replace("{location}", location_sql("d.location_id"))
OPEN = f"""
select d.kind, count(*) from ({{listed}}) d
where not exists (select from discrepancy_settlement s where {SETTLES}) group by d.kind
"""
projection.measure_list("hitotsu_discrepancies", "discrepancies", OPEN)

# other projections' queries read whether a discrepancy was settled
projection.lists(
    "settlements",
    (),
    "select discrepancy_id, kind, subject_id, location_id from discrepancy_settlement",
    settlement,
)


class SettledBy(BaseModel):
    """Who decided which side is right, and when."""

    actor: str
    resolution: str
    reason_code: str | None
    at: datetime


class Discrepancy(BaseModel):
    """Something that does not fit what else is known.

    `documents`: the sale, order, transfer or delivery that it is about (of a delivery an id that is
    made of its document and item), and the document that does not fit it, where that has an id of
    its own. `events`: those that do not fit; empty where a present number is the discrepancy.
    """

    id: UUID
    kind: str
    since: datetime | None = Field(description="Null: as long as the present state lasts.")
    location_id: str | None
    terminal_id: str | None
    sku: str | None
    quantity: Units | None
    unit: UnitTold = None
    documents: list[UUID]
    events: list[UUID]
    settled_by: SettledBy | None


@projection.query("/v1/discrepancies", scope="stock:read")
async def discrepancies(
    read: Read, page: Page, kind: KindName | None = None,
    location_id: AskedLocation | None = None, sku: AskedCode | None = None, settled: bool = False,
) -> list[Discrepancy]:  # fmt: skip
    """What does not fit, newest first; with `settled` what people have decided about."""
    since, last = page.after or (0, None)
    rows = await read.listed(
        "discrepancies", LISTED, only=kind, beside=[settlement], kind=kind,
        location_id=location_id, sku=sku, settled=settled, since=since, id=last,
        limit=page.limit + 1,
    )  # fmt: skip
    shown = rows[: page.limit]
    if len(rows) > page.limit:
        read.more([shown[-1]["since"], str(shown[-1]["id"])])
    return [_discrepancy(row) for row in shown]


def _discrepancy(row: dict[str, Any]) -> Discrepancy:
    settled_by, place, quantity = None, row["location_id"], row["quantity"]
    location_id, unit = (None, None) if place is None else location_and_unit(place)
    if row["settled_at"] is not None:
        settled_by = SettledBy(
            actor=row["actor"], resolution=row["resolution"], reason_code=row["reason_code"],
            at=instant(row["settled_at"]),
        )  # fmt: skip
    return Discrepancy(
        id=row["id"], kind=row["kind"], since=instant(row["since"]) if row["since"] else None,
        location_id=location_id, terminal_id=row["terminal"], sku=row["sku"],
        quantity=None if quantity is None else shown(quantity, unit), unit=unit,
        documents=list(dict.fromkeys(filter(None, (row["subject_id"], row["document"])))),
        events=[] if row["event_id"] is None else [row["event_id"]], settled_by=settled_by,
    )  # fmt: skip
