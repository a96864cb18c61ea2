"""What is left of a member's points while one command after the other takes from them?"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from projections.point_balance.account import Account, Lot, allocated

Spot = tuple[UUID, UUID]  # a profile and one of its lots


@dataclass(slots=True)
class Purse:
    """What one member holds at `at` (microseconds). `version`: entries it was made from."""

    account: Account
    at: int
    version: int
    _lots: dict[Spot, Lot] = field(init=False)

    def __post_init__(self) -> None:
        self._lots = {(lot.profile_id, lot.lot_id): lot for lot in self.account.lots}

    def available(self) -> int:
        """What may still be promised."""
        return self.account.available

    def lots(self, points: int) -> list[Lot]:
        """Which lots give so many, and how much each."""
        return allocated(self.account, points, self.at)

    def take(self, spot: Spot, points: int) -> None:
        """Points are held; negative: they are free again, if their lot is not over."""
        lot = self._lots.get(spot)
        if lot is not None:
            lot.left -= points
            if lot.spendable(self.at):
                self.account.free -= points
