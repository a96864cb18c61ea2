"""What a query reads with, and how the API finds it.

A query is `async def answer_to(read: Read, question: str) -> Answer`. Its parameters are taken
from the path and the query string by name and annotation; a parameter `body` is the request's body.
A parameter `whose: Subject` is resolved from `whose_id` in the path or the body before the call, by
the resolver named `whose`. A parameter `page: Page` makes it a query that answers in pages:
`limit`, `cursor` and `next_cursor` follow.
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
class Subject:
    """What a query is about: an id, and all ids that it stands for.

    `redirected_from`: the requested id, if it is another one.
    """

    id: UUID
    ids: tuple[UUID, ...]
    redirected_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds a subject by an id of now or the past; None where nothing is known of the id.

    Parameters of type `Subject` and its name are resolved by it.
    """

    name: str
    projection: Projection
    function: Callable[[Read, UUID], Awaitable[Subject | None]]

    @property
    def parameter(self) -> str:
        """The parameter of path or body that says the id."""
        return f"{self.name}_id"


@dataclass(frozen=True, slots=True)
class Page:
    """A keyset page: its size in entries, and the last key of the page before ([]: the first)."""

    limit: int
    after: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """One route of the read API.

    `part`: the answer is also that field of the subject's page. `parts`: the answer is the head of
    the page of its subject.
    """

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    projection: Projection
    part: str | None = None
    parts: bool = False


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
        """The amounts held beside these rows, by the values of the columns `amounts.by`.

        `keys`: values of the first of those columns. `rows`: the rows with these keys, as read
        before by this request; an amount counts until its event is included in them. None while the
        amounts are unknown.
        """

    async def reveal(
        self, subject: UUID, event_id: UUID, field: str, sealed: bytes | None
    ) -> str | None:
        """A personal value in clear; None when it is absent or erased, or the caller may not see
        it.

        `event_id` and `field`: the event that sealed it, and the field of that event.
        """

    async def index(self, kind: str, clear: str) -> UUID:
        """The blind index of an identifying value; `ValueError` says what is wrong with it."""

    def more(self, last: Sequence[object]) -> None:
        """Declares that there are more rows after this key, so that the answer gets a cursor."""
