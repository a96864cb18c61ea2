"""The member page: everything known of one member, one part per projection."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from typing import Any, TypeGuard, get_type_hints
from uuid import UUID

from pydantic import BaseModel, Field, create_model

from projections.core import Member, NotFound, Query
from projections.core.tables import StoredTable
from projections.member import projection as member_projection
from services.reading.catalog import Catalog
from services.reading.operations import ReadOperation, operation
from services.reading.reader import RequestReads

PATH = "/v1/members/{member_id}"


Rows = list[dict[str, Any]]


class Once:
    """A `Read` shared by several parts of an answer: equal reads are fetched once."""

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
        # rows of one's own, to do with as one likes
        return [list(map(dict, rows)) for rows in await found]


def _several(value: object) -> TypeGuard[Collection[Hashable]]:
    return isinstance(value, list | tuple | set | frozenset)


def member_operation(queries: Iterable[Query], catalog: Catalog) -> ReadOperation:
    """The route that combines every query that has a `part`."""
    parts = _parts(queries)
    answer = _answer(parts)

    async def member_of(read: RequestReads, member: Member) -> Any:
        """A member with everything the token may see; a part that it may not see is absent."""
        mine = [part for part in parts if read.caller.may(part.scope)]
        once = Once(read)
        asked = (part.function(once, member=member) for part in mine)
        found = await asyncio.gather(*asked, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        if not read.found_member:
            raise NotFound(f"nothing is known of {member.redirected_from or member.member_id}")
        values = {str(part.part): one for part, one in zip(mine, found, strict=True)}
        return answer(
            member_id=member.member_id, profile_ids=member.profile_ids,
            redirected_from=member.redirected_from, **values,
        )  # fmt: skip

    groups = catalog.groups_of([member_projection, *(part.projection for part in parts)])
    return operation("GET", PATH, "members:read", member_of, groups, "api", result=answer)


def parts_of(catalog: Catalog) -> tuple[Callable[..., Awaitable[Any]], ...]:
    """The queries to try, one after another, to learn whether anything is known of a member."""
    queries = (query for projection in catalog.projections for query in projection.queries)
    return tuple(part.function for part in _parts(queries))


def _parts(queries: Iterable[Query]) -> list[Query]:
    return sorted((query for query in queries if query.part), key=lambda query: str(query.part))


def _answer(parts: Iterable[Query]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        "member_id": (UUID, ...),
        "profile_ids": (list[UUID], ...),
        "redirected_from": (
            UUID | None,
            Field(description="The id asked for, when it is another."),
        ),
    }
    for part in parts:
        kind = get_type_hints(part.function)["return"]
        fields[str(part.part)] = (kind, Field(default=None, description=f"Needs {part.scope}."))
    return create_model("MemberAnswer", **fields)
