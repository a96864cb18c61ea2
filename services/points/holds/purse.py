"""A member's spendable points in memory, while a batch of commands takes from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from projections.point_balance.account import Account, Lot, allocated

Spot = tuple[UUID, UUID]  # a profile and one of its lots
PurseKey = tuple[UUID, str]  # a profile and a program, empty for the default one


@dataclass(slots=True)
class Purse:
    """A member's account in one program at `at` (microseconds).

    `version`: the number of ledger entries from which the account was computed.
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
        """Which lots give these `points`, in the order of spending: copies whose `left` is what
        the lot gives.
        """
        return allocated(self.account, points, self.at)

    def take(self, spot: Spot, points: int) -> None:
        """Takes points from a lot; a negative number puts them back.

        `available` changes only if the lot can be spent now: not if it is pending or has expired.
        """
        lot = self._lots.get(spot)
        if lot is not None:
            lot.left -= points
            if lot.spendable(self.at):
                self.account.free -= points
