"""The outcomes of commands, as types: accepted or denied, with the details as fields.

A domain declares its outcomes as dataclasses, and maps them to HTTP answers in one table
(`services.deciding.answers.OutcomeAnswers`); outcomes know no HTTP status or problem type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from schemas.generated.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedCommand:
    """A command that was accepted; the answer has the fields that its model declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedCommand(ABC):
    """A command that was denied, with the reason; the answer has the fields that its problem type
    declares.
    """

    @property
    @abstractmethod
    def detail(self) -> str:
        """A sentence for the caller that explains this denial."""


CommandOutcome = AcceptedCommand | DeniedCommand
Fact = TypeVar("Fact", bound=Event)


@dataclass(slots=True)
class DecidedBatch(Generic[Fact]):
    """Outcomes in the order of the commands, and the events of those that were accepted."""

    outcomes: list[CommandOutcome] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReused(DeniedCommand):
    """The key was used before with another body or address."""

    @property
    def detail(self) -> str:
        return "This Idempotency-Key was sent before with another body or address."


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseUnknown(DeniedCommand):
    """No purchase with this id has been applied."""

    @property
    def detail(self) -> str:
        return "No purchase with this id has been applied (yet)."
