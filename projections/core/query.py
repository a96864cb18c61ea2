"""What does a query read with, and how is it found by the API?

A query is `async def stock_at(read: Read, sku: str) -> Stock`. Its parameters are taken from the
path and the query string by name and annotation; a parameter `body` is the request's body; a
parameter `member: Member` is resolved from the path's `{member_id}` before the call. A parameter
`page: Page` makes it a query that answers in pages: `limit`, `cursor` and `next_cursor` follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from projections.core.held import HeldAmounts
from projections.core.tables import StoredTable

if TYPE_CHECKING:
    from projections.core.projection import Projection


class NotFound(Exception):
    """There is no such thing; says what."""


@dataclass(frozen=True, slots=True)
class Member:
    """A group of profiles. `redirected_from` is the id that was asked for, when it is another."""

    member_id: UUID
    profile_ids: tuple[UUID, ...]
    redirected_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A keyset page: its size in entries, and the last key of the page before ([]: the first)."""

    limit: int
    after: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One route of the read API; with `part`, also that field of a member's answer."""

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    projection: Projection
    part: str | None = None


class Read(Protocol):
    """Reads for one request. What it used is reported as the answer's position."""

    async def rows(self, table: StoredTable, **keys: object) -> list[dict[str, Any]]:
        """Rows whose columns equal the given values (a list means any of them), in key order.

        Comes from Redis when the columns are exactly a view's, else from Postgres: the same rows.
        Ids come as `UUID`, instants as microseconds since the epoch.
        """

    async def together(
        self, *asked: tuple[StoredTable, Mapping[str, object]]
    ) -> list[list[dict[str, Any]]]:
        """`rows` of several tables of one projection, all at once: one round trip, one position."""

    async def select(
        self, uses: Sequence[StoredTable], statement: str, **values: object
    ) -> list[dict[str, Any]]:
        """Rows of a SELECT over the tables named in `uses`; values by `%(name)s`."""

    async def held(
        self, amounts: HeldAmounts, keys: Sequence[object], rows: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[Any, ...], int] | None:
        """What is set aside beside these rows, by the values of the columns `amounts.by`.

        `keys`: values of the first of them. `rows`: the rows with these keys as this request read
        them; an amount counts until its fact is in them, so they are read first. None while nobody
        can say.
        """

    async def reveal(
        self, subject: UUID, event_id: UUID, field: str, sealed: bytes | None
    ) -> str | None:
        """A personal value in clear, or None when absent, erased, or the caller may not see it.

        `event_id` and `field` say which event sealed it, and where in that event it stood.
        """

    async def member(self, profile_id: UUID) -> Member:
        """The member that a profile, or a past member id, now belongs to."""

    async def index(self, kind: str, clear: str) -> UUID:
        """The blind index of an identifier's value; `ValueError` says what is wrong with it."""

    def more(self, last: Sequence[object]) -> None:
        """There are more rows after this key."""
