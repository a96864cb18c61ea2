"""A projector with a bug, to see that the verdict finds it. Only tests start this module.

`kafka-offsets`  positions live in Kafka's group offsets, outside the transaction.
`twice`          no comparison with the checkpoint, and resends are not recognised.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from faust.types import TP

from services.projector import __main__ as product
from services.projector import app, apply, batch, pipeline, process, store

ADVANCE = """
update checkpoint set next_offset = next_offset + new + resent + other + dead,
    applied = applied + new, duplicate = duplicate + resent, conflict = conflict + other,
    dead_letter = dead_letter + dead
from (values (%s::bigint, %s::int, %s::int, %s::int, %s::int))
    as batch(ending, new, resent, other, dead)
where grp = %s and topic = %s and partition = %s and %s >= 0
"""

_fold = pipeline.Pipeline._fold


def _no_comparison() -> None:
    apply.ADVANCE = ADVANCE
    apply.Applier._fence = lambda self, connection, edges: None  # type: ignore[method-assign]
    apply._edges = _edges


def _edges(slices: list[batch.Slice]) -> dict[tuple[str, int], tuple[int, int]]:
    """Whatever came, with or without gaps."""
    return {(one.topic, one.partition): (one.first, one.end) for one in slices}


def _as_it_comes(self: Any, work: Any, arrived: Any) -> None:
    with self.guard:
        if arrived.place in self.expected:
            self.expected[arrived.place] = arrived.records[0].offset
        _fold(self, work, arrived)


def _kafka_offsets() -> None:
    _no_comparison()
    pipeline.Pipeline._fold = _as_it_comes  # type: ignore[method-assign]
    claim, build = app.ProjectorApp.claim, app.build

    async def by_kafka(self: Any, assigned: set[TP]) -> Mapping[TP, int]:
        own = await claim(self, assigned)
        thread, offsets = self.consumer._thread, {}
        for tp in own:
            offsets[tp] = await thread.call_thread(thread._ensure_consumer().committed, tp) or 0
            self.held[tp.topic, tp.partition] = offsets[tp]
        self.pipeline.expected.update(self.held)
        return offsets

    def often(*arguments: Any) -> Any:
        made = build(*arguments)
        made.conf.broker_commit_interval = 2.8
        return made

    app.ProjectorApp.claim = by_kafka  # type: ignore[method-assign]
    vars(process)["build"] = often


def _twice() -> None:
    _no_comparison()
    store.Store.ledger = lambda self, connection, rows: None  # type: ignore[method-assign]
    store.Store._append = _append_new  # type: ignore[method-assign]
    batch.Recent.get = lambda self, event_id: None  # type: ignore[method-assign]


def _append_new(self: Any, connection: Any, table: Any, folded: Any, views: Any) -> None:
    """Append-only rows that are there already are left alone: their keys would stop every batch."""
    rows = folded.appended.get(table)
    if rows:
        coming = f"coming_{table.name}"
        connection.execute(f"create temp table {coming} (like {table.name}) on commit drop")
        self._copy(connection, coming, self._encoders[table](rows))
        connection.execute(
            f"insert into {table.name} select * from {coming} on conflict do nothing"
        )


PLANTS = {"kafka-offsets": _kafka_offsets, "twice": _twice}

if __name__ == "__main__":
    PLANTS[os.environ["HITOTSU_TEST_PLANT"]]()
    product.main()
