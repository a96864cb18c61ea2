"""The invariant that a decision that holds an amount ends once, made from its declaration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from projections.core import HeldAmounts
from projections.core.sql import quoted
from services.invariants.invariant import Connection, Invariant, Key, Violation
from services.runtime.rows import rows_of

APPLIED = "select event_id from ledger where event_id = any(%s::uuid[])"


def ends_once(held: HeldAmounts, about: str) -> Invariant:
    """Makes the invariant: all rows of a decision end in the same way.

    They are in the state `applied` if and only if the decision's event is in the ledger.
    """
    lines = f"select * from hitotsu.{quoted(held.decisions)} where id = any(%s::uuid[])"

    async def broken(connection: Connection, keys: Sequence[Key]) -> dict[Key, Violation]:
        rows = await rows_of(connection, lines, [[key[0] for key in keys]])
        facts = [held.fact_id(row) for row in rows]
        found = await rows_of(connection, APPLIED, [list(set(facts))])
        applied = {row["event_id"] for row in found}
        ends: dict[Key, set[str]] = defaultdict(set)
        wrong: dict[Key, Violation] = {}
        for row, fact in zip(rows, facts, strict=True):
            key, state = (row["id"],), row["state"]
            ends[key].add(_end(held, state))
            if (state == "applied") != (fact in applied):
                expected = (
                    "applied, as its event is" if fact in applied else "its event in the ledger"
                )
                wrong[key] = Violation(expected, state)
        for key, states in ends.items():
            if len(states) > 1:
                wrong[key] = Violation("one end of all its rows", sorted(states))
        return wrong

    return Invariant(
        f"{held.decisions}_resolved_twice",
        f"A decision in {held.decisions} ends once: released, expired, or applied by its event.",
        about=about, table=f"hitotsu.{held.decisions}", key={"id": "uuid"}, broken=broken,
    )  # fmt: skip


def _end(held: HeldAmounts, state: Any) -> str:
    """The state in which a row ended, or will end if no further command names it.

    An open row will expire; a row that awaits its event will be applied. So rows of one decision
    agree although they change one after another.
    """
    return {"open": "expired", held.awaiting: "applied"}.get(str(state), str(state))
