"""Ends holds (rows of decisions) whose event is applied in the tables that are swapped in.

While the log is folded, such events are recorded in the shadow's table `ended_hold`. At the swap,
the holds of these events that have not ended yet are ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg.rows import TupleRow

from projections.core import HeldAmounts
from projections.core.fold import Folded, Group
from projections.core.sql import quoted
from services.projector import held_endings
from services.projector.batch import PARTITIONS_MAX
from services.rebuild.swap import Swap
from services.runtime.arrays import columns

# `decisions`: the table of the hold; `named`: the other columns of its key, as text
TABLE = """
-- facts applied that end a decision
create table ended_hold (
    decisions text not null, id uuid not null, named text[] collate "C" not null,
    event_id uuid not null, topic int not null, partition int not null
);
create index ended_hold_by_id on ended_hold (id);
"""
NOTE = "insert into ended_hold values (%s, %s, %s, %s, %s, %s)"
_STILL_HELD = """
select distinct e.id, {fields}e.event_id, e.partition, p.next_offset
from hitotsu.{decisions} h join {shadow}.ended_hold e on {found}
join hitotsu.topic t on t.no = e.topic
join {shadow}.progress p on p.topic = t.name and p.partition = e.partition
where h.state = '{awaiting}' and e.decisions = '{name}' order by {order}
"""
Ended = Mapping[HeldAmounts, list[TupleRow]]


def noted(folded: Folded) -> Iterable[tuple[Any, ...]]:
    """The values for `NOTE`: table of the hold, its key, event id, topic number and partition."""
    for held, ended in folded.ended.items():
        for decision_id, *named, event_id, source in ended:
            place = divmod(source, PARTITIONS_MAX)
            yield held.decisions, decision_id.hex(), [*map(_text, named)], event_id.hex(), *place


def still_held(swap: Swap, group: Group) -> Ended:
    """Holds that wait for an event which the shadow has applied, by the declaration of the hold."""
    return {
        held: swap.within(_still_held(held, group.name))
        for endings in group.endings.values()
        for held in endings
    }


def end(swap: Swap, ended: Ended) -> None:
    """Ends these holds, in the transaction of the swap.

    A hold stores the partition and the offset from which on rows contain its event.
    """
    for held, rows in ended.items():
        if rows:
            swap.within(held_endings.statement(held), *columns(held_endings.types(held), rows))


def _still_held(held: HeldAmounts, shadow: str) -> str:
    """The query for recorded events whose hold has not ended yet."""
    own, types = [*held.named][1:], held.types[1:]
    parts = [f"e.named[{number}]::{type}" for number, type in enumerate(types, 1)]
    same = [f"h.{quoted(name)} = {part}" for name, part in zip(own, parts, strict=True)]
    return _STILL_HELD.format(
        fields="".join(f"{part}, " for part in parts),
        decisions=quoted(held.decisions), name=held.decisions, shadow=quoted(shadow),
        found=" and ".join([f"h.{quoted(next(iter(held.named)))} = e.id", *same]),
        awaiting=held.awaiting, order=", ".join(map(str, range(1, len(parts) + 2))),
    )  # fmt: skip


def _text(value: bytes | str | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
