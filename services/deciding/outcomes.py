"""What does a decision end in? A typed outcome: accepted with what follows, or denied with why.

Pure. A domain declares its outcomes as dataclasses and says in one table what HTTP makes of them
(`services.deciding.answers.Answers`); nothing here knows a status or a problem type.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedCommand:
    """A command that was accepted; the fields are what the caller is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeniedCommand(ABC):
    """A command that was denied; the fields explain why."""

    @property
    @abstractmethod
    def detail(self) -> str:
        """A sentence about this case."""


CommandOutcome = AcceptedCommand | DeniedCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReused(DeniedCommand):
    """The key was used before with another command."""

    @property
    def detail(self) -> str:
        return "This Idempotency-Key was sent before with another body or address."
