"""What a query reads with, and how the API finds it.

A query is `async def stock_at(read: Read, sku: str) -> Stock`. Its parameters are taken from path
and query string by name and annotation. A parameter `body` is the request's body; `member: Member`
is resolved from the path's `{member_id}`; `page: Page` makes the answer paged with `limit`,
`cursor` and `next_cursor`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from projections.core.held_amounts import HeldAmounts
from projections.core.tables import StoredTable

if TYPE_CHECKING:
    from projections.core.projection import Projection


class NotFound(Exception):
    """The requested thing does not exist; the text says what."""


@dataclass(frozen=True, slots=True)
class Member:
    """A group of profiles. `redirected_from`: the requested id, if it is another one."""

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
    """One route of the read API; with `part`, also that field of the member page."""

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    projection: Projection
    part: str | None = None


class Read(Protocol):
    """Reads for one request. The sources that it uses determine the answer's position."""

    async def rows(self, table: StoredTable, **keys: object) -> list[dict[str, Any]]:
        """Rows whose columns equal the given values (a list means any of them), in key order.

        Read from Redis if the columns are exactly those of a view, else from Postgres, with the
        same result. Ids are `UUID`, instants microseconds since the epoch.
        """

    async def together(
        self, *asked: tuple[StoredTable, Mapping[str, object]]
    ) -> list[list[dict[str, Any]]]:
        """`rows` of several tables of one projection in one round trip, at one position."""

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
        """A personal value in clear; None when it is absent or erased, or the caller may not see
        it.

        `event_id` and `field`: the event that sealed it, and the field of that event.
        """

    async def member(self, profile_id: UUID) -> Member:
        """The member to which a profile, or a former member id, belongs now."""

    async def index(self, kind: str, clear: str) -> UUID:
        """The blind index of an identifier; `ValueError` when it is invalid."""

    def more(self, last: Sequence[object]) -> None:
        """Declares that there are more rows after this key, so that the answer gets a cursor."""
