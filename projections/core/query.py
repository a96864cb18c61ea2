"""The interface of queries: their declaration, and the `Read` object by which they read rows.

A query is a function `async def name(read: Read, …) -> Answer`. Its other parameters are taken from
path and query string, by name and annotation; a parameter `body` is the request's body. For a
parameter `x: Subject`, the resolver named `x` finds the subject by the path or body parameter
`x_id`. A parameter of type `Page` makes the answer paged: the route gets the parameters `limit` and
`cursor`, the answer `next_cursor`.
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
    """The requested thing does not exist (404); the text says what."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a query is about: its id, and all ids that belong to it.

    `redirected_from`: the requested id, if that is not `id`.
    """

    id: UUID
    ids: tuple[UUID, ...]
    redirected_from: UUID | None = None


@dataclass(frozen=True, slots=True)
class Resolver:
    """Finds the subject of a query by a present or former id.

    `name`: of the `Subject` parameters that it resolves. `function`: returns None if the id is
    unknown.
    """

    name: str
    projection: Projection
    function: Callable[[Read, UUID], Awaitable[Subject | None]]

    @property
    def parameter(self) -> str:
        """The name of the path or body parameter with the id."""
        return f"{self.name}_id"


@dataclass(frozen=True, slots=True)
class Page:
    """A requested page: its maximum size in entries, and the key after which it begins (keyset
    paging); `after` is empty for the first page.
    """

    limit: int
    after: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A query of a projection: one route of the read API.

    `part`: the field of the subject's page that also has this answer. `parts`: the route is the
    subject's page: its answer gets one more field for each part.
    """

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    projection: Projection
    part: str | None = None
    parts: bool = False


class Read(Protocol):
    """Reads rows for one request. The answer's position follows from the sources read."""

    async def rows(self, table: StoredTable, **keys: object) -> list[dict[str, Any]]:
        """Rows in which the columns have these values (a list: any of its values), sorted by key.

        Reads Redis if the columns are exactly those of the table's view, else Postgres; the result
        is the same. Ids are `UUID`, instants microseconds since the epoch.
        """

    async def together(
        self, *asked: tuple[StoredTable, Mapping[str, object]]
    ) -> list[list[dict[str, Any]]]:
        """As `rows` for several tables of one projection, in one round trip and at one position."""

    async def select(
        self, uses: Sequence[StoredTable], statement: str, **values: object
    ) -> list[dict[str, Any]]:
        """The rows of a SELECT in Postgres, with parameters `%(name)s`.

        `uses`: the tables that the statement reads; the answer's position depends on them.
        """

    async def select_if_up(
        self, uses: Sequence[StoredTable], statement: str, **values: object
    ) -> list[dict[str, Any]] | None:
        """As `select`; None while Postgres cannot be read."""

    async def listed(
        self, name: str, statement: str, only: str | None = None,
        beside: Sequence[StoredTable] = (), of_subjects: bool = False, **values: object,
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Rows of a SELECT over a list that projections declare with `Projection.lists`; the
        statement says `{listed}` where the list's rows are.

        `only`: a label; parts of the list that cannot have such rows are not read. `beside`: other
        tables that the statement reads. `of_subjects`: the statement asks for rows of subjects;
        parts whose rows have none are not read, because planning a long statement costs more
        than running it.
        """

    async def held(
        self, amounts: HeldAmounts, keys: Sequence[object], rows: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[Any, ...], int] | None:
        """Amounts that decisions hold, to subtract from these rows, by the columns `amounts.by`.

        `keys`: values of the first of those columns. `rows`: the rows with these keys, which this
        request has read. An amount counts until the rows include its event. None while Postgres
        cannot be read.
        """

    def setting(self, name: str) -> str:
        """What the operator has set for this deployment, for queries whose answer depends on it."""

    async def reveal(
        self, subject: UUID, event_id: UUID, field: str, sealed: bytes | None
    ) -> str | None:
        """The decrypted personal value; None if it is absent or erased, or the caller may not see
        it.

        `event_id`, `field`: the event and its field in which the value was sealed.
        """

    async def index(self, kind: str, clear: str) -> UUID:
        """The blind index of an identifying value; raises `ValueError` if that is malformed."""

    def more(self, last: Sequence[object]) -> None:
        """Declares that more rows follow after the key `last`: the answer gets a `next_cursor`."""
