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
from services.projector import app, apply, batch, process, store

ADVANCE = """
update checkpoint set next_offset = next_offset + new + resent + other + dead,
    applied = applied + new, duplicate = duplicate + resent, conflict = conflict + other,
    dead_letter = dead_letter + dead
from (values (%s::bigint, %s::int, %s::int, %s::int, %s::int))
    as batch(ending, new, resent, other, dead)
where grp = %s and topic = %s and partition = %s and %s >= 0
"""


def _no_comparison() -> None:
    apply.ADVANCE = ADVANCE
    apply.Applier._fence = lambda self, connection, edges: None  # type: ignore[method-assign]


def _kafka_offsets() -> None:
    _no_comparison()
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
    batch.Recent.get = lambda self, event_id: None  # type: ignore[method-assign]


PLANTS = {"kafka-offsets": _kafka_offsets, "twice": _twice}

if __name__ == "__main__":
    PLANTS[os.environ["HITOTSU_TEST_PLANT"]]()
    product.main()
