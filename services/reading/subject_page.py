"""The page of a subject (member): the answers of all queries that are declared as its parts."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Callable,
    Collection,
    Coroutine,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from functools import wraps
from typing import Any, TypeGuard, get_type_hints

from pydantic import BaseModel, Field, create_model

from projections.core import NotFound, Query, Subject
from projections.core.tables import StoredTable
from services.reading.catalog import Catalog
from services.reading.operations import Parts, ReadOperation, operation, subject_of
from services.reading.reader import RequestReads

Rows = list[dict[str, Any]]


class CachingRead:
    """A `Read` shared by the parts of an answer: equal calls of `rows` and `together` run once."""

    def __init__(self, read: RequestReads) -> None:
        self._read = read
        self._asked: dict[Hashable, asyncio.Future[list[Rows]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._read, name)

    async def rows(self, table: StoredTable, **keys: object) -> Rows:
        async def fetched() -> list[Rows]:
            return [await self._read.rows(table, **keys)]

        (rows,) = await self._once([(table, keys)], fetched)
        return rows

    async def together(self, *asked: tuple[StoredTable, Mapping[str, object]]) -> list[Rows]:
        async def fetched() -> list[Rows]:
            return await self._read.together(*asked)

        return await self._once(asked, fetched)

    async def _once(
        self,
        asked: Sequence[tuple[StoredTable, Mapping[str, object]]],
        fetched: Callable[[], Coroutine[Any, Any, list[Rows]]],
    ) -> list[Rows]:
        named = tuple(
            (
                table.name,
                *((name, frozenset(value) if _several(value) else value)
                  for name, value in keys.items()),
            )
            for table, keys in asked
        )  # fmt: skip
        found = self._asked.get(named)
        if found is None:
            found = self._asked[named] = asyncio.ensure_future(fetched())
        # copies, since the parts may modify their rows
        return [list(map(dict, rows)) for rows in await found]


def _several(value: object) -> TypeGuard[Collection[Hashable]]:
    return isinstance(value, list | tuple | set | frozenset)


def subject_operation(whole: Query, queries: Iterable[Query], catalog: Catalog) -> ReadOperation:
    """The operation that adds to the answer of `whole` the answers of its subject's parts.

    `queries`: of all projections. Parts for which the token lacks the scope are left out. Raises
    TypeError if `whole` or a part has no `Subject` parameter.
    """
    resolver = subject_of(whole.function, catalog.resolvers)
    if resolver is None:
        raise TypeError(f"{whole.path}: a query with `parts` needs a `Subject` parameter")
    parts = _parts(queries, resolver.name, catalog)
    answer = _answer(whole, parts)

    @wraps(whole.function)
    async def page(read: RequestReads, **subjects: Subject) -> Any:
        (subject,) = subjects.values()
        mine = [part for part in parts if read.caller.may(part.scope)]
        once = CachingRead(read)
        asked = (part.function(once, **subjects) for part in mine)
        found = await asyncio.gather(*asked, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        if not read.found_subject:
            raise NotFound(f"nothing is known of {subject.redirected_from or subject.id}")
        head = await whole.function(once, **subjects)
        values = {str(part.part): one for part, one in zip(mine, found, strict=True)}
        return answer(**dict(head), **values)

    groups = catalog.groups_of([whole.projection, *(part.projection for part in parts)])
    return operation(
        whole.method, whole.path, whole.scope, page, groups, "api",
        result=answer, resolvers=catalog.resolvers,
    )  # fmt: skip


def parts_of(catalog: Catalog) -> Parts:
    """By name of a subject's resolver: the functions of the queries that are parts of its page."""
    queries = [query for projection in catalog.projections for query in projection.queries]
    return {
        name: tuple(part.function for part in _parts(queries, name, catalog))
        for name in catalog.resolvers
    }


def _parts(queries: Iterable[Query], subject: str, catalog: Catalog) -> list[Query]:
    found = []
    for query in queries:
        if query.part is not None:
            resolver = subject_of(query.function, catalog.resolvers)
            if resolver is None:
                raise TypeError(f"{query.path}: a query with `part` needs a `Subject` parameter")
            if resolver.name == subject:
                found.append(query)
    return sorted(found, key=lambda query: str(query.part))


def _answer(whole: Query, parts: Iterable[Query]) -> type[BaseModel]:
    head = get_type_hints(whole.function)["return"]
    fields: dict[str, Any] = {}
    for part in parts:
        kind = get_type_hints(part.function)["return"]
        fields[str(part.part)] = (kind, Field(default=None, description=f"Needs {part.scope}."))
    return create_model(head.__name__.replace("Head", "Answer"), __base__=head, **fields)
