"""The `Read` object that queries receive: reads rows for one request, in Redis or Postgres."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, islice, product
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from projections.core import HeldAmounts, Subject
from projections.core.query import Resolver
from projections.core.tables import StoredTable
from schemas.personal import blind_index, normalise
from services.http.caller import Caller
from services.reading.catalog import Catalog, Origin
from services.reading.database import PostgresAway, ReadSnapshot
from services.reading.held_amounts import HeldAmountsReader
from services.reading.personal import PersonalValues
from services.reading.position import AnswerSources, Position, covers
from services.reading.redis_views import ViewReader
from services.reading.rows import from_view, parsed, plain, selection, shape
from services.runtime.build_state import Builds
from services.runtime.metrics import READS

SOURCES = ("shelf", "redis", "postgres")
Rows = list[dict[str, Any]]
Ask = tuple[StoredTable, Mapping[str, list[Any]]]


class BadIdentifier(ValueError):
    """An identifier in a request is malformed; the message does not quote it, `value` has it."""

    def __init__(self, value: str, reason: str) -> None:
        super().__init__(reason)
        self.value = value


class RequestReads:
    """Reads rows for one request, and records in `used` which sources it read.

    Implements `Read` of `projections.core`. `views` None: only Postgres is read. `next`: the key
    after which the next page begins; None on the last page. `found_subject`: the resolver or a row
    shows that the request's subject is known.
    """

    def __init__(
        self, *, catalog: Catalog, views: ViewReader | None, snapshot: ReadSnapshot,
        held_amounts: HeldAmountsReader, clear: PersonalValues, blind_key: bytes, caller: Caller,
        wanted: Position, builds: Builds,
    ) -> None:  # fmt: skip
        self._catalog, self._views, self._snapshot = catalog, views, snapshot
        self._held_amounts, self._clear, self._blind_key = held_amounts, clear, blind_key
        self._builds = builds
        self.caller, self.wanted = caller, wanted
        self.used = AnswerSources()
        self.next: list[Any] | None = None
        self._about: frozenset[UUID] = frozenset()
        # the position of the first read of a table, for `held`
        self._read_at: dict[StoredTable, Position] = {}
        self.found_subject = False

    async def rows(self, table: StoredTable, **keys: object) -> Rows:
        values = {name: _listed(value) for name, value in keys.items()}
        self._builds.check((table.projection,))
        origin = self._catalog.of(table)
        if not all(values.values()):
            return []
        cached = self._from_cache(table, origin, values)
        if cached is None:
            ((found, read),) = await self._fetched(origin, [(table, values)])
            self._read_at.setdefault(table, read)
        else:
            found, missing = cached
            if missing:
                found += await self._added_to_cache(table, origin, missing)
            if len(found) > 1:
                found.sort(key=shape(table).order)
        self._note(found, values)
        return found

    async def together(self, *asked: tuple[StoredTable, Mapping[str, object]]) -> list[Rows]:
        self._builds.check(table.projection for table, _ in asked)
        asks = [
            (table, {name: _listed(value) for name, value in keys.items()}) for table, keys in asked
        ]
        found = [rows for rows, _ in await self._fetched(self._catalog.of(asked[0][0]), asks)]
        for (_, values), rows in zip(asks, found, strict=True):
            self._note(rows, values)
        return found

    async def select(self, uses: Sequence[StoredTable], statement: str, **values: object) -> Rows:
        self._builds.check(table.projection for table in uses)
        rows = await self._snapshot.rows(statement, values)
        for table in uses:
            self._read_from_postgres(table, self._catalog.of(table))
        self._note(rows, values)
        return [{name: plain(value) for name, value in row.items()} for row in rows]

    async def select_if_up(
        self, uses: Sequence[StoredTable], statement: str, **values: object
    ) -> Rows | None:
        try:
            return await self.select(uses, statement, **values)
        except PostgresAway:
            return None

    async def listed(
        self, name: str, statement: str, only: str | None = None,
        beside: Sequence[StoredTable] = (), of_subjects: bool = False, **values: object,
    ) -> Rows:  # fmt: skip
        listings = self._catalog.listings(name)
        if only is not None:
            listings = [one for one in listings if only in one.labels]
        if of_subjects:
            listings = [one for one in listings if one.has_subjects]
        if not listings:
            return []
        uses = [*beside, *(table for one in listings for table in one.uses)]
        whole = " union all ".join(f"({one.statement})" for one in listings)
        return await self.select(uses, statement.replace("{listed}", whole), **values)

    def setting(self, name: str) -> str:
        return self._catalog.settings[name]

    async def engine_rows(
        self, statement: str, values: dict[str, Any], groups: Iterable[str]
    ) -> Rows:
        """Rows of the engine's tables (event ledger, dead letters), read in Postgres.

        The answer's position then has all topics of these groups.
        """
        rows = await self._snapshot.rows(statement, values)
        for group in groups:
            position = self._snapshot.position(group)
            self.used.add(self._catalog.topics[group], position, postgres=True)
        return rows

    async def held(
        self, amounts: HeldAmounts, keys: Sequence[Hashable], rows: Sequence[Mapping[str, Any]]
    ) -> dict[tuple[Any, ...], int] | None:
        position = self._read_at.get(amounts.beside, {})
        return await self._held_amounts.beside(amounts, keys, rows, position)

    async def reveal(
        self, subject: UUID, event_id: UUID, field: str, sealed: bytes | None
    ) -> str | None:
        return await self._clear.text(subject, event_id, field, sealed)

    async def subject(self, resolver: Resolver, asked: UUID) -> Subject:
        """The subject that the id belongs to; if the resolver finds none, a subject with this id
        alone.
        """
        found = await resolver.function(self, asked)
        self.found_subject = found is not None
        subject = found or Subject(asked, (asked,))
        self._about = frozenset(subject.ids)
        return subject

    async def index(self, kind: str, clear: str) -> UUID:
        try:
            return UUID(bytes=blind_index(self._blind_key, kind, normalise(kind, clear)))
        except ValueError as error:
            raise BadIdentifier(clear, str(error)) from error

    def more(self, last: Sequence[object]) -> None:
        self.next = list(last)

    def close(self, route: str) -> None:
        self._clear.account(route)
        self._snapshot.close()

    def _from_cache(
        self, table: StoredTable, origin: Origin, values: Mapping[str, list[Any]]
    ) -> tuple[Rows, list[Any]] | None:
        """Rows from the row cache, and the values that it lacks; None if it cannot be used.

        The cache is for tables that a single, rarely written topic changes.
        """
        if table.moved_by is None or self._views is None or table.view is None:
            return None
        if tuple(values) != table.view.by:
            return None
        shelf, group = self._views.shelf, origin.group
        held = shelf.held(table, group)
        standing = shelf.standing(table, group)
        if held is None or standing is None:
            return None
        topic = _alone(table.moved_by)
        if not covers(standing, self.wanted, topic):
            return None
        (listed,) = values.values()
        wanted = list(dict.fromkeys(listed))
        found = list(map(held.get, wanted))  # often hundreds of values: no Python loop
        missing: list[Any] = []
        if None in found:
            missing = [value for value, rows in zip(wanted, found, strict=True) if rows is None]
        if len(missing) < len(wanted):
            self.used.add(topic, standing, postgres=False)
            _counted(table.name, "shelf").inc()
        return list(chain.from_iterable(filter(None, found))), missing

    async def _added_to_cache(self, table: StoredTable, origin: Origin, missing: list[Any]) -> Rows:
        """The rows of these values, which the row cache then has too."""
        assert self._views is not None and table.view is not None
        (column,) = table.view.by
        ((fetched, read),) = await self._fetched(origin, [(table, {column: missing})])
        self._views.shelf.put(table, origin.group, missing, fetched, read)
        return fetched

    async def _fetched(self, origin: Origin, asks: Sequence[Ask]) -> list[tuple[Rows, Position]]:
        """The rows of every request in `asks`, with the position of their source."""
        found = await self._from_redis(origin, asks)
        if found is not None:
            return found
        return [
            (
                await self._from_postgres(table, origin, values),
                self._snapshot.position(origin.group),
            )
            for table, values in asks
        ]

    async def _from_redis(
        self, origin: Origin, asks: Sequence[Ask]
    ) -> list[tuple[Rows, Position]] | None:
        if self._views is None or not all(_by_view(table, values) for table, values in asks):
            return None
        keys = [self._hash_keys(table, values) for table, values in asks]
        read = await self._views.read(origin.group, [*chain(*keys)], origin.topics)
        if read is None or not covers(read[1], self.wanted, origin.topics):
            return None
        hashes, position = iter(read[0]), read[1]
        self.used.add(origin.topics, position, postgres=False)
        found = []
        for (table, _), mine in zip(asks, keys, strict=True):
            _counted(table.name, "redis").inc()
            rows = from_view(table, chain.from_iterable(islice(hashes, len(mine))))
            found.append((rows, position))
        return found

    def _hash_keys(self, table: StoredTable, values: Mapping[str, list[Any]]) -> list[str]:
        view = table.view
        assert view is not None
        if len(view.by) == 1:
            ((name, listed),) = values.items()
            return [
                self._catalog.hash_key(table, view, {name: one}) for one in dict.fromkeys(listed)
            ]
        combined = product(*(dict.fromkeys(values[name]) for name in view.by))
        return [
            self._catalog.hash_key(table, view, dict(zip(view.by, each, strict=True)))
            for each in combined
        ]

    async def _from_postgres(
        self, table: StoredTable, origin: Origin, values: Mapping[str, list[Any]]
    ) -> Rows:
        rows = await self._snapshot.rows(selection(table, values), dict(values))
        self._read_from_postgres(table, origin)
        versions = [row["row_version"] for row in rows] if table.versioned else ()
        return parsed(table, [row["payload"] for row in rows], versions)

    def _read_from_postgres(self, table: StoredTable, origin: Origin) -> None:
        self.used.add(origin.topics, self._snapshot.position(origin.group), postgres=True)
        _counted(table.name, "postgres").inc()

    def _note(self, rows: Sequence[object], values: Mapping[str, object]) -> None:
        """Sets `found_subject` if rows were found by an id of the subject."""
        if rows and not self.found_subject:
            asked = (one for value in values.values() for one in _listed(value))
            self.found_subject = any(isinstance(one, UUID) and one in self._about for one in asked)


def _by_view(table: StoredTable, values: Mapping[str, object]) -> bool:
    """Whether the table has a view in Redis whose key is exactly these columns."""
    return table.view is not None and values.keys() == set(table.view.by)


def counted_from_start(tables: Iterable[StoredTable]) -> None:
    """Creates the read counters of all tables and sources, so that they start at 0."""
    for table in tables:
        for source in SOURCES if table.view is not None else ("postgres",):
            _counted(table.name, source)


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | set | frozenset) else [value]


@cache
def _alone(topic: str) -> frozenset[str]:
    """The topic as a set, always the same object: `Reach` recognises equal sources by identity."""
    return frozenset({topic})


@cache
def _counted(table: str, source: str) -> Counter:
    """The read counter of a table and source; cached, since looking up labels is slow."""
    return READS.labels(table, source)
