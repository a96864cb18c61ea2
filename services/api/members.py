"""Who is this, and what is known of them over all channels? Every projection's part in one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, get_type_hints
from uuid import UUID

from pydantic import BaseModel, Field, create_model

from projections.core import Member, NotFound, Query
from projections.member import projection as member_projection
from services.api.catalog import Catalog
from services.api.operations import Operation, operation
from services.api.reading import Reading

PATH = "/v1/members/{member_id}"


def member_operation(queries: Iterable[Query], catalog: Catalog) -> Operation:
    """The route that puts together every query with a `part`."""
    parts = _parts(queries)
    answer = _answer(parts)

    async def member_of(read: Reading, member: Member) -> Any:
        """A member with everything the token may see; a part that it may not see is absent."""
        mine = [part for part in parts if read.caller.may(part.scope)]
        asked = (part.function(read, member=member) for part in mine)
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
    """What is asked, one after the other, to find out whether anything is known of a member."""
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
