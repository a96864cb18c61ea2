"""A projector with a bug, to see that the runs find it. Only tests start this module.

Each bug changes a few well-known places of the product. One that is no longer there ends the
process with `GONE`, and whoever planted the bug hears of it: a control must not pass by accident.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from services.projector import __main__ as product
from services.projector import app, apply, batch, pipeline, redis_views, store
from services.runtime.logging import log

GONE = 78
ADVANCE = """
update checkpoint c set next_offset = c.next_offset + new + resent + other + dead,
    applied = c.applied + new, duplicate = c.duplicate + resent, conflict = c.conflict + other,
    dead_letter = c.dead_letter + dead
from unnest(%s::text[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::bigint[], %s::bigint[])
    as batch(topic, partition, first, ending, new, resent, other, dead)
where c.grp = %s and c.topic = batch.topic and c.partition = batch.partition
"""
EVERY = 25  # of so many fetches the agent chokes on one


def put(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    """Puts something else in a place of the product, made from what was there."""
    if not hasattr(owner, name):
        sys.stderr.write(f"planted: {owner.__name__}.{name} is gone\n")
        os._exit(GONE)
    setattr(owner, name, made(getattr(owner, name)))


def no_comparison() -> None:
    """Nobody asks whether the checkpoint stands where the batch begins."""
    put(apply, "ADVANCE", lambda was: ADVANCE)
    put(apply.Applier, "_fence", lambda was: lambda self, connection, edges: None)
    put(apply, "_edges", lambda was: _edges)
    put(pipeline.Pipeline, "_fold", _as_it_comes)


def _edges(slices: list[batch.Slice]) -> dict[tuple[str, int], tuple[int, int]]:
    """Whatever came, with or without gaps."""
    return {(one.topic, one.partition): (one.first, one.end) for one in slices}


def _as_it_comes(was: Any) -> Any:
    def fold(self: Any, work: Any, arrived: Any) -> None:
        with self.guard:
            if arrived.place in self.expected:
                self.expected[arrived.place] = arrived.records[0].offset
            was(self, work, arrived)

    return fold


def no_dedupe() -> None:
    """A resend is taken for news: the ledger is kept and not asked."""
    put(store.Store, "ledger", _unasked)
    put(store.Store, "_append", _unrefused)
    put(batch.Recent, "remember", lambda was: lambda self, ids: None)
    put(batch.Recent, "expect", lambda was: lambda self, ids: None)
    put(batch.BatchWork, "_fold_slice", _forgetting)


class _Forgetful(dict[bytes, Any]):
    def get(self, event_id: bytes, default: Any = None) -> Any:
        return default


def _forgetting(was: Any) -> Any:
    def fold_slice(self: Any, *arguments: Any) -> None:
        self.ids = _Forgetful()
        was(self, *arguments)

    return fold_slice


def neither() -> None:
    """No comparison, and nothing that hides it."""
    no_comparison()
    no_dedupe()


def _copied(connection: Any, name: str, call: Callable[[], Any]) -> Any:
    """Lets the product copy into a table beside, and takes over what is not there already."""
    connection.execute(
        f"create temp table coming_{name} (like {name} including defaults) on commit drop"
    )
    copy = getattr(store.Store, "_copy", None)
    put(store.Store, "_copy", _beside)
    try:
        given = call()
    finally:
        put(store.Store, "_copy", lambda was: copy)
    connection.execute(f"insert into {name} select * from coming_{name} on conflict do nothing")
    return given


def _beside(was: Any) -> Any:
    return lambda self, connection, name, *rest: was(self, connection, f"coming_{name}", *rest)


def _unasked(was: Any) -> Any:
    def ledger(self: Any, connection: Any, rows: Any) -> Any:
        call = lambda: was(self, connection, rows)  # noqa: E731
        return _copied(connection, "ledger", call)

    return ledger


def _unrefused(was: Any) -> Any:
    def append(self: Any, connection: Any, table: Any, *rest: Any) -> Any:
        call = lambda: was(self, connection, table, *rest)  # noqa: E731
        return _copied(connection, table.name, call)

    return append


def offset_outside() -> None:
    """The checkpoint moves in a transaction of its own, after the rows are in."""
    due: list[tuple[Any, ...]] = []

    def later(was: Any) -> Any:
        put(apply.Applier, "apply", lambda whole: _then(whole, due, was))
        return lambda self, *arguments: due.append((self, *arguments))

    put(apply.Applier, "_advance", later)


def letter_after() -> None:
    """Dead letters are written when the rest is committed."""
    due: list[tuple[Any, ...]] = []

    def later(was: Any) -> Any:
        put(apply.Applier, "apply", lambda whole: _then(whole, due, was))
        return lambda self, *arguments: due.append((self, *arguments))

    put(apply.Applier, "_bury", later)


def _then(whole: Any, due: list[tuple[Any, ...]], was: Any) -> Any:
    def apply_and(self: Any, connection: Any, work: Any) -> Any:
        due.clear()
        applied = whole(self, connection, work)
        for arguments in due:
            was(*arguments)
        return applied

    return apply_and


def redis_first() -> None:
    """Redis has the rows before they are committed."""
    known: list[Any] = []

    def kept(was: Any) -> Any:
        def made(self: Any, *arguments: Any) -> None:
            was(self, *arguments)
            known.append(self)

        return made

    def shown(was: Any) -> Any:
        def write(self: Any, *arguments: Any) -> Any:
            due = was(self, *arguments)
            known[0].write(due.told, "", due.chunks)
            return due

        return write

    put(redis_views.ViewWriter, "__init__", kept)
    put(store.Store, "write", shown)


def escaping() -> None:
    """What goes wrong in the agent goes out of it: Faust takes the fetch for done."""
    no_comparison()
    calls = [0]

    def choking(was: Any) -> Any:
        def offer(self: Any, *arguments: Any) -> Any:
            calls[0] += 1
            if calls[0] % EVERY == 0:
                raise RuntimeError("planted")
            return was(self, *arguments)

        return offer

    def staying(was: Any) -> Any:
        def leave(reason: str, group: str) -> None:
            if not reason.startswith("agent"):
                was(reason, group)
            log.error("escaped", reason=reason)
            raise RuntimeError(reason)

        return leave

    put(pipeline.Pipeline, "offer", choking)
    put(app, "leave", staying)


PLANTS: dict[str, Callable[[], None]] = {
    "no-comparison": no_comparison,
    "neither": neither,
    "offset-outside": offset_outside,
    "no-dedupe": no_dedupe,
    "redis-first": redis_first,
    "escaping": escaping,
    "letter-after": letter_after,
}

if __name__ == "__main__":
    PLANTS[os.environ["HITOTSU_TEST_PLANT"]]()
    product.main()
