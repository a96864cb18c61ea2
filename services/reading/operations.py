"""Which questions can be asked over HTTP? Every query of every projection, and the API's own two.

A query's signature is its interface: what is named in the path, the query string, the body.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from projections.core import Member, Query
from services.reading.catalog import Catalog

DEFAULT_LIMIT, MOST = 100, 500


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: how it is asked and who answers."""

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    groups: frozenset[str]
    tag: str
    parameters: type[BaseModel]
    own: tuple[str, ...]
    body: TypeAdapter[Any] | None
    member: bool
    paged: bool
    result: TypeAdapter[Any]

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def summary(self) -> str:
        return inspect.getdoc(self.function) or self.name


def of_query(query: Query, catalog: Catalog) -> Operation:
    groups = catalog.groups_of([query.projection])
    return operation(
        query.method, query.path, query.scope, query.function, groups, query.projection.name
    )


def operation(
    method: str, path: str, scope: str, function: Callable[..., Awaitable[Any]],
    groups: Iterable[str], tag: str, result: Any = None,
) -> Operation:  # fmt: skip
    """Reads the function's signature."""
    hints = get_type_hints(function, include_extras=True)
    _, *signature = inspect.signature(function).parameters.values()
    # only a function that asks for the page's size is answered in pages
    paged = "page" in function.__code__.co_names
    own = tuple(
        one.name for one in signature if one.name != "body" and hints[one.name] is not Member
    )
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is inspect.Parameter.empty else one.default)
        for one in signature
        if one.name in own
    }
    for name in own:
        if hints[name] in (datetime, datetime | None):
            raise TypeError(f"{path}: {name} is an instant in a question; make it a `Moment`")
    wants_member = any(hints[one.name] is Member for one in signature)
    if wants_member and "{member_id}" in path:
        described = "A profile id, or a member id of now or the past."
        fields["member_id"] = (UUID, Field(description=described))
    if paged:
        fields["limit"] = (int, Field(DEFAULT_LIMIT, ge=1, le=MOST, description="Entries a page."))
        fields["cursor"] = (
            str | None,
            Field(None, description="`next_cursor` of the page before."),
        )
    name = f"{function.__name__}_parameters"
    answer: Any = result or hints["return"]
    return Operation(
        method, path, scope, function, frozenset(groups), tag,
        parameters=create_model(name, __config__=ConfigDict(extra="forbid"), **fields),
        own=own, body=TypeAdapter(hints["body"]) if "body" in hints else None,
        member=wants_member, paged=paged, result=TypeAdapter(answer),
    )  # fmt: skip


def in_order(operations: Iterable[Operation]) -> list[Operation]:
    """Literal segments before parameters, or `/inquiries/counts` would be an inquiry's id."""
    return sorted(
        operations, key=lambda each: [(part.startswith("{"), part) for part in each.path.split("/")]
    )
