"""Which inquiries are one conversation, and how does it stand?

Staff merge inquiries that are about the same. An inquiry is merged into at most one other, by the
newest merge that was told, so merges lead from every inquiry to a head. Where merges lead in a
circle, the oldest of them is left out. What a conversation is about is what its head is about.

Pure: rows of the tables in, answers out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from projections.inquiry_history import ATTRIBUTED

Status = Literal["open", "waiting", "closed"]
Row = Mapping[str, Any]
Merges = Mapping[UUID, tuple[int, UUID]]  # by inquiry: when it was merged, and into which


@dataclass(frozen=True, slots=True)
class State:
    """How a conversation stands. Times in microseconds; `closing`: the row that was closed last."""

    status: Status
    closed_at: int | None
    closing: Row | None
    reopened_at: int | None
    assigned_to: str | None
    waiting_for: str | None
    waiting_until: int | None


@dataclass(frozen=True, slots=True)
class JoinedInquiries:
    """Inquiries that are read as one. `joined`: since when each belongs to it; None for the
    head.
    """

    head: Row
    rows: Sequence[Row]
    joined: Mapping[UUID, int | None]

    @property
    def merged(self) -> list[UUID]:
        """The other inquiries, by the time at which they joined."""
        others = [(at, one) for one, at in self.joined.items() if at is not None]
        return [one for _, one in sorted(others)]

    @property
    def opened_at(self) -> int | None:
        """When the first of them was opened."""
        times = (row["opened_at"] for row in self.rows if row["opened_at"] is not None)
        return min(times, default=None)

    @property
    def answered_at(self) -> int | None:
        """When staff answered last."""
        return _latest(row["answered_at"] for row in self.rows)

    def owner(self) -> UUID | None:
        """Whose it is: what was told of the head, or decided of another one since it joined.

        Where nothing was, what was told of the others. That somebody writes under an old id makes
        nobody the owner.
        """
        told = [row for row in self.rows if row["profile_id"] is not None]
        of_it = [row for row in told if row is self.head or self._was_decided(row)]
        ranked = [(row["profile_rank"], row["profile_id"]) for row in of_it or told]
        return max(ranked)[1] if ranked else None

    def _was_decided(self, row: Row) -> bool:
        """Whether staff decided whose it is, after the row joined."""
        rank: int = row["profile_rank"]
        return rank > ATTRIBUTED >> 1 and self._counts(row, (rank - ATTRIBUTED) >> 1)

    def state(self) -> State:
        """Whether it is open, and who is to act."""
        closing = self._newest("closed_at")
        closed_at = closing["closed_at"] if closing else None
        asked_at = _latest(map(self._asked_at, self.rows))
        reopening = self._newest("reopened_at")
        reopened_at = reopening["reopened_at"] if reopening else None
        again = _latest([reopened_at, asked_at])
        is_closed = closed_at is not None and not _ends(closed_at, reopened_at, asked_at)
        waiting, assigned = self._newest("waiting_at"), self._newest("assigned_at")
        if waiting and (
            is_closed
            or _ends(waiting["waiting_at"], _latest([reopened_at, closed_at]), asked_at)
            or _ends(waiting["waiting_at"], None, self.answered_at)
        ):
            waiting = None
        return State(
            status="closed" if is_closed else "waiting" if waiting else "open",
            closed_at=closed_at if is_closed else None,
            closing=closing if is_closed else None,
            reopened_at=None if is_closed or closed_at is None else again,
            assigned_to=assigned["assigned_to"] if assigned else None,
            waiting_for=waiting["waiting_for"] if waiting else None,
            waiting_until=waiting["waiting_until"] if waiting else None,
        )

    def _asked_at(self, row: Row) -> int | None:
        """When the customer last asked for something by this inquiry.

        What was closed before it joined asks for nothing. To ask by an inquiry of one's own that
        joins later is to ask; the head's opening is before all that happens to it.
        """
        joined = self.joined[row["inquiry_id"]]
        if joined is None:
            asked: int | None = row["asked_at"]
            return asked
        closed_at = row["closed_at"]
        if (
            closed_at is not None
            and not self._counts(row, closed_at)
            and not _ends(closed_at, row["reopened_at"], row["asked_at"])
        ):
            return None
        return _latest([row["opened_at"], row["asked_at"], row["reopened_at"]])

    def _counts(self, row: Row, at: int | None) -> bool:
        """Whether what was told of this row at a time was told of the conversation."""
        joined = self.joined[row["inquiry_id"]]
        return at is not None and (joined is None or at >= joined)

    def _newest(self, at: str) -> Row | None:
        """The row with the newest time in column `at`, without times before it was merged."""
        told = (row for row in self.rows if self._counts(row, row[at]))
        return max(told, key=lambda row: (row[at], row["inquiry_id"]), default=None)


def conversations(rows: Iterable[Row]) -> list[JoinedInquiries]:
    """Groups rows of inquiries, each with `merged_at` and `into_id`, by their heads' order of
    appearance; a row that comes twice counts once.
    """
    by_id = {row["inquiry_id"]: row for row in rows}
    merges = {
        one: (row["merged_at"], row["into_id"])
        for one, row in by_id.items()
        if row["into_id"] in by_id
    }
    together: dict[UUID, dict[UUID, int | None]] = {}
    for one in by_id:
        head, joined = head_of(one, merges)
        together.setdefault(head, {})[one] = joined
    return [
        JoinedInquiries(by_id[head], [by_id[one] for one in joined], joined)
        for head, joined in together.items()
    ]


def head_of(inquiry_id: UUID, merges: Merges) -> tuple[UUID, int | None]:
    """The inquiry that this one is part of in the end, and since when; None: it is the head."""
    path = [inquiry_id]
    while path[-1] in merges:
        into = merges[path[-1]][1]
        if into in path:
            circle = path[path.index(into) :]
            head = min(circle, key=lambda one: (merges[one][0], one))
            break
        path.append(into)
    else:
        head = path[-1]
    way = path[: path.index(head)] if head in path else path
    return head, max((merges[one][0] for one in way), default=None)


def _latest(times: Iterable[int | None]) -> int | None:
    return max((at for at in times if at is not None), default=None)


def _ends(at: int, by_decision: int | None, by_message: int | None) -> bool:
    """Whether what was told at a time ended: a decision ends it at the same time, a message
    later.
    """
    return (by_decision is not None and by_decision >= at) or (
        by_message is not None and by_message > at
    )
