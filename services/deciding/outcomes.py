"""What does a decision end in? A typed outcome: accepted with what follows, or denied with why.

Pure. A domain declares its outcomes as dataclasses and says in one table what HTTP makes of them
(`services.deciding.answers.Answers`); nothing here knows a status or a problem type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedCommand:
    """A command that was decided as it was asked; the fields are what its sender is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedCommand(ABC):
    """A command that was decided against; the fields are what explains it."""

    @property
    @abstractmethod
    def detail(self) -> str:
        """A sentence about this case."""


CommandOutcome = AcceptedCommand | DeniedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReused(DeniedCommand):
    """The key named another command before."""

    @property
    def detail(self) -> str:
        return "This Idempotency-Key was sent before with another body or address."
