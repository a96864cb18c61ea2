"""The possible outcomes of a claim; `answers` maps them to HTTP answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.deciding.outcomes import AcceptedCommand, DeniedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseClaimed(AcceptedCommand):
    """The profile gets the purchase as soon as the event is applied; a dry run has no event."""

    transaction_id: UUID
    profile_id: UUID
    event_id: UUID | None
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOwned(DeniedCommand):
    """The purchase was made under a profile; only a guest's purchase can be claimed.

    `same_profile`: it is the profile of the command.
    """

    same_profile: bool

    @property
    def detail(self) -> str:
        if self.same_profile:
            return "The purchase was made under this profile: there is nothing to claim."
        return "The purchase was made under another profile: it is no guest's."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedBefore(DeniedCommand):
    """An earlier claim has the purchase.

    `same_profile`: it was for the profile of the command. `applied`: its event is applied; if
    not, it was accepted and its event is on its way.
    """

    same_profile: bool
    applied: bool

    @property
    def detail(self) -> str:
        who = "This profile" if self.same_profile else "Another profile"
        waiting = "" if self.applied else "; that claim was accepted and is not applied yet"
        return f"{who} claimed the purchase before{waiting}."
