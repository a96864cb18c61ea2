"""The route that looks up an event by id: its record in the log, and whether it was applied."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from projections.core import NotFound
from services.reading.applied_events import applied_statement
from services.reading.catalog import Catalog
from services.reading.operations import ReadOperation, operation
from services.reading.reader import RequestReads

_PUT_ASIDE = (
    'select topic, partition, "offset", stage, reason, status from hitotsu.dead_letter'
    ' where event_id = %(event_id)s order by topic, partition, "offset" limit 100'
)


class PutAside(BaseModel):
    """A dead letter: a record with this event id that was not applied, or that a single projection
    refused.
    """

    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    status: str


class WhatBecame(BaseModel):
    """The record of an event and its status.

    `applied`: answers whose position covers the record include it. `dead_letter`: not applied.
    `conflict`: not applied either; an event with the same id or the same document and another
    content was applied. `reason`: why it was not applied; null if it was. If the event reported the
    same document as the earlier event `duplicate_of`, the record is that of the earlier event.
    `dead_letters`: at most 100.
    """

    event_id: UUID
    duplicate_of: UUID | None
    status: Literal["applied", "conflict", "dead_letter"]
    topic: str
    partition: int
    offset: int
    reason: str | None
    dead_letters: list[PutAside]


def event_operation(catalog: Catalog) -> ReadOperation:
    """The operation GET /v1/events/{event_id}, on the event ledger of the first group."""
    group = catalog.groups[0]
    applied = applied_statement(group)

    async def event(read: RequestReads, event_id: UUID) -> WhatBecame:
        """The record of an event in the log, and whether it was applied."""
        values: dict[str, Any] = {"event_id": event_id}
        found = await read.engine_rows(applied, values, [group])
        aside = [PutAside(**row) for row in await read.engine_rows(_PUT_ASIDE, values, [group])]
        if found:
            return WhatBecame(
                event_id=event_id, status="applied", reason=None, dead_letters=aside, **found[0]
            )
        if not aside:
            raise NotFound(f"event {event_id} has not been applied yet, or was never accepted")
        last = aside[-1]
        conflict = "conflict" in (last.stage.lower(), last.reason.lower())
        return WhatBecame(
            event_id=event_id, duplicate_of=None,
            status="conflict" if conflict else "dead_letter", topic=last.topic,
            partition=last.partition, offset=last.offset, reason=last.reason, dead_letters=aside,
        )  # fmt: skip

    return operation("GET", "/v1/events/{event_id}", "events:read", event, [group], "api")
