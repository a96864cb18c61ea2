"""A member's spendable points, while a batch of commands takes from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from projections.point_balance.account import Account, Lot, allocated

Spot = tuple[UUID, UUID]  # a profile and one of its lots


@dataclass(slots=True)
class Purse:
    """What one member has at `at` (microseconds). `version`: the number of entries it was made
    from.
    """

    account: Account
    at: int
    version: int
    _lots: dict[Spot, Lot] = field(init=False)

    def __post_init__(self) -> None:
        self._lots = {(lot.profile_id, lot.lot_id): lot for lot in self.account.lots}

    def available(self) -> int:
        """Points that can still be held or spent."""
        return self.account.available

    def lots(self, points: int) -> list[Lot]:
        """The lots that give so many points, and how many each gives."""
        return allocated(self.account, points, self.at)

    def take(self, spot: Spot, points: int) -> None:
        """Takes points; a negative number returns them, unless their lot has expired."""
        lot = self._lots.get(spot)
        if lot is not None:
            lot.left -= points
            if lot.spendable(self.at):
                self.account.free -= points
