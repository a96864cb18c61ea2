"""A member's points while sales are judged: entries, holds, and events decided so far. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from projections.point_balance.account import Account, account, lots_and_draws
from services.points.program.entries import Fact, entries_of
from services.points.returns.policies import Spot

Entry = Mapping[str, Any]


@dataclass(slots=True)
class MemberPoints:
    """A member's state in one program: entries of all profiles, points held by profile and lot.

    `held` includes captures whose event is not applied yet; `open_holds`: the sum of open holds.
    `forgiven`: points that were owed but not available anywhere.
    """

    entries: list[Entry]
    held: Mapping[Spot, int] = field(default_factory=dict)
    open_holds: int = 0
    forgiven: int = 0

    def account(self, at: int) -> Account:
        """The account at `at`, including the events added so far."""
        return account(*lots_and_draws(self.entries), at, self.held)

    def tell(self, facts: Iterable[Fact]) -> None:
        """Adds events that were just decided."""
        for fact in facts:
            self.entries += entries_of(fact)
