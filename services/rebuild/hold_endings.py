"""Which holds end because the tables that are swapped in hold the facts that end them?

The folding notes each such fact in the shadow. At the swap only those count for which something
is still held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.rows import TupleRow

from projections.core.fold import Folded
from services.projector.apply import END_HOLDS, ENDED_BY
from services.projector.batch import PARTITIONS_MAX
from services.rebuild.swap import Swap
from services.runtime.arrays import columns
from services.verify.columns import quoted

TABLE = """
-- facts applied that end a hold
create table ended_hold (
    fact text not null, id uuid not null, sku text collate "C", location_id text collate "C",
    event_id uuid not null, topic int not null, partition int not null
);
create index ended_hold_by_id on ended_hold (id);
"""
NOTE = "insert into ended_hold values (%s, %s, %s, %s, %s, %s, %s)"
_FOLDED_TO = """
join hitotsu.topic t on t.no = e.topic
join {shadow}.progress p on p.topic = t.name and p.partition = e.partition
"""
# of many facts only those for which something is still held
ENDED = {
    "ReservationCommitted": f"""
select e.id, e.sku, e.location_id, e.event_id, e.partition, p.next_offset
from hitotsu.stock_hold h join {{shadow}}.ended_hold e
    on e.id = h.id and e.sku = h.sku and e.location_id = h.served_by
{_FOLDED_TO}
where h.state = 'committed' and e.fact = 'ReservationCommitted' order by 1, 2, 3
""",
    "PointsRedeemed": f"""
select distinct e.id, e.event_id, e.partition, p.next_offset
from hitotsu.points_hold h join {{shadow}}.ended_hold e on e.id = h.id
{_FOLDED_TO}
where h.state = 'captured' and e.fact = 'PointsRedeemed' order by 1
""",
}


def noted(folded: Folded) -> Iterable[tuple[Any, ...]]:
    """Name of the fact, id of the hold, its line where it has one, the event's id and place."""
    for fact, holds in folded.ended.items():
        for hold_id, *line, event_id, source in holds:
            place = divmod(source, PARTITIONS_MAX)
            yield fact, hold_id.hex(), *(line or (None, None)), event_id.hex(), *place


def still_held(swap: Swap, shadow: str) -> dict[str, list[TupleRow]]:
    """By the fact's name: what is held and ended by a fact that the shadow holds."""
    return {
        fact: swap.within(statement.format(shadow=quoted(shadow)))
        for fact, statement in ENDED.items()
    }


def end(swap: Swap, ended: Mapping[str, list[TupleRow]]) -> None:
    """Ends these holds; each notes the version of the row, swapped in, that holds its fact."""
    for fact, rows in ended.items():
        if rows:
            _, types, statement = END_HOLDS[fact]
            swap.within(statement, *columns((*types, *ENDED_BY), rows))
