"""The possible outcomes of a decision; `answers` maps them to HTTP answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from services.deciding.outcomes import AcceptedCommand, DeniedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyDecided(AcceptedCommand):
    """The discrepancy is settled as soon as the event is applied; a dry run has no event."""

    discrepancy_id: UUID
    kind: str
    resolution: str
    event_id: UUID | None
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyUnknown(DeniedCommand):
    """No discrepancy has this id."""

    @property
    def detail(self) -> str:
        return "No discrepancy has this id: none ever had, or another fact has made it fit."


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledBefore(DeniedCommand):
    """Somebody decided it before. `applied`: that decision is applied; if not, it was accepted
    and its event is on its way.
    """

    resolution: str
    applied: bool

    @property
    def detail(self) -> str:
        waiting = "" if self.applied else "; that decision was accepted and is not applied yet"
        return f"It was settled before, with {self.resolution}{waiting}."


@dataclass(frozen=True, slots=True, kw_only=True)
class NotForPeople(DeniedCommand):
    """No decision of this kind settles a discrepancy of this kind. `resolutions`: those that do;
    without any it lasts as long as the numbers say so.
    """

    kind: str
    resolutions: tuple[str, ...]

    @property
    def detail(self) -> str:
        if not self.resolutions:
            return f"A {self.kind} lasts as long as the numbers say so: count, or move the goods."
        return f"A {self.kind} is settled with {' or '.join(self.resolutions)} alone."


@dataclass(frozen=True, slots=True, kw_only=True)
class AnotherStore(DeniedCommand):
    """The token is limited to stores, and the discrepancy concerns another, or none."""

    location_id: str | None

    @property
    def detail(self) -> str:
        place = "no store" if self.location_id is None else f"store {self.location_id}"
        return f"The discrepancy concerns {place}; the token is limited to others."
