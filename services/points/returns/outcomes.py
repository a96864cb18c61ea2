"""The outcomes of returns. Pure; `answers` maps them to HTTP."""

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
    """Points earned by the purchase, by how they were taken back; `points`: what the member
    loses.
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
    """What is deducted from the refund instead: points, and money in minor units."""

    points: int
    value: int


class GivenBackAmounts(TypedDict):
    """Points paid with; `graced`: given back in new lots that expire at `graced_until`."""

    points: int
    allocations: Sequence[TakenLot]
    graced: Sequence[TakenLot]
    graced_until: datetime | None
    unnamed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnSettled(AcceptedCommand):
    """Points of returned units are taken back, and those paid with are given back."""

    transaction_id: UUID
    policy: ReturnPolicy
    rule_version: str | None
    taken_back: TakenBackAmounts
    withheld: RefundWithheld
    given_back: GivenBackAmounts
    event_ids: Sequence[UUID]
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseUnknown(DeniedCommand):
    """No purchase of that id was applied."""

    @property
    def detail(self) -> str:
        return "No such purchase is known, or not yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOfGuest(DeniedCommand):
    """The purchase names no profile."""

    @property
    def detail(self) -> str:
        return "A guest's purchase has no points to take or give back."


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseOfOtherMember(DeniedCommand):
    """The purchase names a profile of another member."""

    @property
    def detail(self) -> str:
        return "The purchase is not that member's."


@dataclass(frozen=True, slots=True, kw_only=True)
class LineUnknown(DeniedCommand):
    """The purchase has no line of that number."""

    line_no: int

    @property
    def detail(self) -> str:
        return f"The purchase has no line {self.line_no}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnExceedsSale(DeniedCommand):
    """More units are returned than the line has left; `returnable`: how many it has."""

    line_no: int
    returnable: int

    @property
    def detail(self) -> str:
        return f"Of line {self.line_no} no more than {self.returnable} can still come back."
