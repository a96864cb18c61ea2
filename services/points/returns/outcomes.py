"""The possible outcomes of a return; `answers` maps them to HTTP answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict
from uuid import UUID

from services.deciding.outcomes import AcceptedCommand, DeniedCommand
from services.points.holds.outcomes import TakenLot
from services.points.program.rules import ReturnPolicy


class TakenBackAmounts(TypedDict):
    """Points earned by the returned units, split by how they are taken back.

    `points`: what the event takes, that is, `due` without `withheld`, `forgiven`, and points whose
    expiry an event has recorded.
    """

    due: int
    pending: int
    active: int
    lapsed: int
    other: int
    debt: int
    forgiven: int
    points: int
    allocations: Sequence[TakenLot]


class RefundWithheld(TypedDict):
    """Points that cannot be taken back; `value`: minor units to deduct from the refund instead.

    `currency`: of the value: the refund's, or the program's if its rules name no rate for that.
    """

    points: int
    value: int
    currency: str
    minor_units: int | None


class GivenBackAmounts(TypedDict):
    """Points that had paid for the returned units, split by how they are given back.

    `graced`: in new lots that expire at `graced_until`; each entry names the old lot. `unnamed`: to
    the profile, without a lot.
    """

    points: int
    allocations: Sequence[TakenLot]
    graced: Sequence[TakenLot]
    graced_until: datetime | None
    unnamed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSettled(AcceptedCommand):
    """Points that returned units earned are taken back; points that paid for them come back."""

    transaction_id: UUID
    policy: ReturnPolicy
    rule_version: str | None
    taken_back: TakenBackAmounts
    withheld: RefundWithheld
    given_back: GivenBackAmounts
    event_ids: Sequence[UUID]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOfGuest(DeniedCommand):
    """A guest's purchase that nobody has claimed together with its points."""

    @property
    def detail(self) -> str:
        return "The purchase is a guest's: no profile earned or spent points for it."


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOfOtherMember(DeniedCommand):
    """The purchase belongs to a profile of another member than the command's profile."""

    @property
    def detail(self) -> str:
        return "The purchase belongs to another member."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramUnknown(DeniedCommand):
    """Nobody declared the program, and the buyer has no points of it."""

    program: str

    @property
    def detail(self) -> str:
        return f"There is no points program {self.program}."


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUnknown(DeniedCommand):
    """The purchase has no line with this number."""

    line_no: int

    @property
    def detail(self) -> str:
        return f"The purchase has no line {self.line_no}."


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDiffers(DeniedCommand):
    """The line is counted in another unit (None: in pieces) than the returned quantity."""

    line_no: int
    unit: str | None

    @property
    def detail(self) -> str:
        counted = "pieces" if self.unit is None else self.unit or "decimals without a unit"
        return f"Line {self.line_no} is counted in {counted}: send `unit` and `scale` of the sale."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnExceedsSale(DeniedCommand):
    """More units are returned than the line has left; `returnable`: how many it has left."""

    line_no: int
    returnable: int | float

    @property
    def detail(self) -> str:
        return f"At most {self.returnable} more units of line {self.line_no} can be returned."
