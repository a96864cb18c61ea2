"""The command that settles a return's points, and its request body."""

from __future__ import annotations

from dataclasses import dataclass
from operator import not_
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.fields import GivenId
from schemas.measures import DECIMALS_MAX, Amount, amount
from services.points.holds.commands import ProgramAsked
from services.points.program.rules import ReturnPolicy

Quantity = Annotated[int, Field(ge=1, le=1_000_000)]


class ReturnedUnits(BaseModel):
    """Units of one line of the purchase that are returned."""

    model_config = ConfigDict(extra="forbid")
    line_no: Annotated[int, Field(ge=1, le=100_000)]
    quantity: Quantity
    # not said where they say nothing: a body of before they existed has the same hash
    unit: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None,
        exclude_if=not_,
        description="What the quantity is counted in, e.g. kg; pieces when absent.",
    )
    scale: int = Field(
        0,
        exclude_if=not_,
        ge=0,
        le=DECIMALS_MAX,
        description="Decimals of the quantity: 354 with 3 is 0.354.",
    )

    @property
    def amount(self) -> Amount:
        """The quantity as lines of sales count it."""
        return amount(self.quantity, self.unit, self.scale)


class ReturnBody(BaseModel):
    """Takes back the points that returned goods earned; gives back the points that paid for them.

    `policy` replaces the program's policy for earned points that were already spent.
    """

    model_config = ConfigDict(extra="forbid")
    transaction_id: GivenId
    profile_id: GivenId
    lines: Annotated[list[ReturnedUnits], Field(min_length=1, max_length=500)]
    policy: ReturnPolicy | None = None
    program: ProgramAsked = None
    dry_run: bool = Field(False, description="Decides and answers, but stores nothing.")

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        numbers = [line.line_no for line in self.lines]
        if len(set(numbers)) != len(numbers):
            raise ValueError("lines must not repeat the same line_no")
        return self


@dataclass(frozen=True, slots=True)
class ReturnRequest:
    """A return command."""

    body: ReturnBody
