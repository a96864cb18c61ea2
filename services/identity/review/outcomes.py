"""The outcomes of staff commands. Pure; `answers` maps them to HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.deciding.outcomes import AcceptedCommand, DeniedCommand

VerdictOutcome = Literal["linked", "declined", "unlinked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictGiven(AcceptedCommand):
    """Pairs were decided, with one event for each pair.

    `case_id`: of a decision on a case. `profile_ids`: the profiles from which one was split.
    """

    outcome: VerdictOutcome
    case_id: UUID | None = None
    profile_ids: Sequence[UUID] | None = None
    event_ids: Sequence[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseUnknown(DeniedCommand):
    """There is no case with the id in the command."""

    @property
    def detail(self) -> str:
        return "There is no such case."


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseClosed(DeniedCommand):
    """The case was closed before: by whom, why, and with which outcome."""

    outcome: str | None
    actor: str | None
    reason: str | None

    @property
    def detail(self) -> str:
        return "The case is closed."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesUnknown(DeniedCommand):
    """The projection has no row of these profiles of a pair, or they were erased."""

    profile_ids: Sequence[UUID]

    @property
    def detail(self) -> str:
        return "Such a profile is not known, or was erased."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileToSplitUnknown(DeniedCommand):
    """The profile to split from its member has no member."""

    profile_ids: Sequence[UUID]

    @property
    def detail(self) -> str:
        return "Such a profile is not known."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfilesNotLinked(DeniedCommand):
    """The two profiles to unlink are not one member."""

    @property
    def detail(self) -> str:
        return "The two profiles are not one member; decline them to keep them apart."


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyProfileOfMember(DeniedCommand):
    """The profile to split is the only one of its member."""

    @property
    def detail(self) -> str:
        return "The profile is the only one of its member."
