"""Terminals whose clock was wrong by more than two minutes, by the times of their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from projections.core import Projection, Row, earliest, key, latest_by, maximum, total
from schemas.generated import events
from schemas.topics import TOPIC_OF
from schemas.wire.effective import CorrectedMeta

# topics whose events producers send, as far as other projections read them too
TOPICS = frozenset(
    f"commerce.{name}"
    for name in ("purchases", "points", "inventory", "inquiries", "members", "catalog", "terminals")
)

projection = Projection("terminal_clocks", version=2)

clocks = projection.table(
    "terminal_clock",
    system=key("text"),
    store_id=key("text"),
    terminal_id=key("text"),
    clock_offset=latest_by("bigint", at="last_seen"),
    first_seen=earliest(),
    last_seen=maximum(),
    events=total(),
    contended=True,
)


@projection.on(*(getattr(events, name) for name, topic in TOPIC_OF.items() if topic.name in TOPICS))
def wrong_clock(event: Any) -> Sequence[Row]:
    """The terminal of an event whose clock was wrong; no row for any other event.

    It returns a sequence, because a generator for every event of the log would cost more.
    """
    meta = event.meta
    if type(meta) is not CorrectedMeta:
        return ()
    producer = meta.producer
    return (
        clocks(
            system=producer.system,
            store_id=producer.store_id or "",
            terminal_id=producer.terminal_id or "",
            clock_offset=meta.clock_offset,
            first_seen=meta.arrived_at,
            last_seen=meta.arrived_at,
            events=1,
        ),
    )
