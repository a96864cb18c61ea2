"""Runs a batch of return commands: locks the members, decides, and stores the result.

A till sends the command before it pays the refund. The code that decides is the same as for returns
that arrive as events; those are settled only where the program gives points by rules. Units settled
here are not settled again when the return event arrives.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.deciding.answers import Answer
from services.deciding.profiles import unseen
from services.points.program.programs import USUAL, Programs
from services.points.program.sales import sales_of, versions
from services.points.returns import settlement_store
from services.points.returns.answers import ANSWERS
from services.points.returns.commands import ReturnRequest
from services.points.returns.decide import ReturnsState, decide
from services.points.returns.effective_balances import lock_balances
from services.points.returns.terms import terms_of
from services.runtime.db import Connection


class ReturnsWork:
    """Decides batches of returns, within the caller's transaction."""

    def __init__(self, group: str, programs: Programs = USUAL) -> None:
        """`group`: the projection group whose tables are read."""
        self._group, self._programs = group, programs

    async def see(self, connection: Connection, commands: Sequence[ReturnRequest]) -> ReturnsState:
        """Locks the members of buyers and of the commands' profiles.

        Returns their points, and the named sales with their rules and earlier decisions.
        """
        asked = [command.body.transaction_id for command in commands]
        sales = await sales_of(connection, asked)
        buyers = {sale.profile_id for sale in sales.values() if sale.profile_id is not None}
        profiles = buyers | {command.body.profile_id for command in commands}
        here = await lock_balances(connection, profiles, self._group, self._programs)
        before = await settlement_store.earlier_decisions(connection, asked)
        owned = [sale for sale in sales.values() if sale.profile_id is not None]
        terms = await terms_of(connection, owned, before, here)
        # whoever has ledger entries has events: only the others are looked up
        told = {command.body.profile_id for command in commands}
        nothing = await unseen(connection, {one for one in told if not here.entries.get(one)})
        declared = None
        if any(command.body.program for command in commands):
            every = self._programs.declared(await versions(connection))
            declared = {program.id for program in every}
        return ReturnsState(here, sales, terms, before, nothing, declared)

    async def decide(
        self, connection: Connection, seen: ReturnsState, commands: Sequence[ReturnRequest]
    ) -> list[Answer]:
        """Decides; stores the decisions and the events; returns the answers in order."""
        decided = decide(commands, seen)
        await settlement_store.store_settlements(connection, decided.rows.values(), seen.here)
        return ANSWERS.all_of(decided.outcomes, {"position": seen.here.position})
