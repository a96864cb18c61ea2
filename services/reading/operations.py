"""Derives the read API's operations from the functions of queries.

A function's signature defines path parameters, query parameters and body. A parameter of type
`Page` makes the answer paged.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from pydantic.json_schema import SkipJsonSchema

from projections.core import Page, Query, Subject
from projections.core.query import Resolver
from services.http.caller import PURPOSE
from services.http.operation import AnswerModel, Body, Endpoint, Header, Operation, Reply
from services.http.problem_type import BUILDING, GATEWAY_TIMEOUT, NOT_FOUND, UNPROCESSABLE
from services.reading.catalog import Catalog

DEFAULT_LIMIT, MOST = 100, 500
Parts = Mapping[str, tuple[Callable[..., Awaitable[Any]], ...]]
_MIN_POSITION = (
    "Waits until this is applied, or answers 504: a map like an answer's `position`, or"
    " `event:<uuid>`. An event that is a dead letter is not waited for. The header Min-Position"
    " means the same."
)
_CACHE = Header("Cache-Control", "With `no-cache`, Postgres is read and not Redis.")
_LINK = Header("Link", "The next page, rel=next; absent on the last page.")
Position = Annotated[
    dict[str, Annotated[int, Field(ge=0)]],
    Field(description="By topic-partition: the offset before which the answer has all records."),
]


class Lag(AnswerModel):
    """`events`: number of records that the answer does not include yet; null: unknown, see
    `reason`.
    """

    events: Annotated[int, Field(ge=0)] | None
    reason: str | SkipJsonSchema[None] = None


@dataclass(frozen=True, slots=True)
class ReadOperation:
    """A read operation: its HTTP interface and the function of its query.

    `own`: names of the path and query parameters that the function takes. `subject`: resolver of
    the function's `Subject` parameter; None if it has none. `page`: name of its `Page` parameter;
    None if the answer is not paged.
    """

    method: str
    path: str
    scope: str
    function: Callable[..., Awaitable[Any]]
    groups: frozenset[str]
    tag: str
    parameters: type[BaseModel]
    own: tuple[str, ...]
    body: TypeAdapter[Any] | None
    subject: Resolver | None
    page: str | None
    result: TypeAdapter[Any]
    answer: Any

    @property
    def name(self) -> str:
        return self.function.__name__

    def declared(self, endpoint: Endpoint) -> Operation:
        """The operation as a route declaration with its documentation."""
        hints = get_type_hints(self.function, include_extras=True)
        summary, _, more = (inspect.getdoc(self.function) or self.name).partition("\n")
        personal = self.scope.startswith(("members", "inquiries"))
        documented = create_model(
            f"{self.name}_query", __base__=self.parameters,
            min_position=(str | None, Field(None, description=_MIN_POSITION)),
        )  # fmt: skip
        return Operation(
            method=self.method, path=self.path, name=self.name, summary=summary, tag=self.tag,
            description=" ".join(more.split()), endpoint=endpoint, scope=self.scope,
            parameters=documented,
            headers=(_CACHE, PURPOSE) if personal else (_CACHE,),
            body=None if self.body is None else Body({"application/json": hints["body"]}),
            replies={200: Reply(self._envelope(), "The answer, with its position and lag.",
                                headers=(_LINK,) if self.page else ())},
            problems=(BUILDING, NOT_FOUND, UNPROCESSABLE, GATEWAY_TIMEOUT),
        )  # fmt: skip

    def _envelope(self) -> type[BaseModel]:
        fields: dict[str, Any] = {
            "data": (self.answer, ...),
            "position": (Position, ...),
            "lag": (Lag, ...),
            "served_from": (Literal["redis", "postgres"], ...),
        }
        if self.page:
            fields["next_cursor"] = (str | None, Field(description="Null on the last page."))
        words = "".join(word.capitalize() for word in self.name.split("_"))
        return create_model(f"{words}Envelope", __base__=AnswerModel, **fields)


def of_query(query: Query, catalog: Catalog) -> ReadOperation:
    """The operation of a query that a projection declares."""
    groups = catalog.groups_of([query.projection])
    return operation(
        query.method, query.path, query.scope, query.function, groups, query.projection.name,
        resolvers=catalog.resolvers,
    )  # fmt: skip


def operation(
    method: str, path: str, scope: str, function: Callable[..., Awaitable[Any]],
    groups: Iterable[str], tag: str, result: Any = None,
    resolvers: Mapping[str, Resolver] = MappingProxyType({}),
) -> ReadOperation:  # fmt: skip
    """Derives the operation from the function's signature.

    `groups`: those that the function reads. `result`: the answer's type, if it is not the
    function's. Raises TypeError for a signature that cannot be served.
    """
    hints = get_type_hints(function, include_extras=True)
    _, *signature = inspect.signature(function).parameters.values()
    page = next((one.name for one in signature if hints[one.name] is Page), None)
    own = tuple(
        one.name
        for one in signature
        if one.name != "body" and hints[one.name] not in (Subject, Page)
    )
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is inspect.Parameter.empty else one.default)
        for one in signature
        if one.name in own
    }
    for name in own:
        if hints[name] in (datetime, datetime | None):
            raise TypeError(f"{path}: declare the parameter {name} as `Moment`, not `datetime`")
        if hints[name] in (date, date | None):
            raise TypeError(f"{path}: declare the parameter {name} as `CalendarDate`, not `date`")
    subject = subject_of(function, resolvers)
    if subject is not None and f"{{{subject.parameter}}}" in path:
        described = inspect.getdoc(subject.function)
        fields[subject.parameter] = (UUID, Field(description=described))
    if page:
        fields["limit"] = (
            int, Field(DEFAULT_LIMIT, ge=1, le=MOST, description="Maximum entries of a page."),
        )  # fmt: skip
        fields["cursor"] = (
            str | None,
            Field(None, description="`next_cursor` of the previous page."),
        )
    name = f"{function.__name__}_parameters"
    answer: Any = result or hints["return"]
    return ReadOperation(
        method, path, scope, function, frozenset(groups), tag,
        parameters=create_model(name, __config__=ConfigDict(extra="forbid"), **fields),
        own=own, body=TypeAdapter(hints["body"]) if "body" in hints else None,
        subject=subject, page=page, result=TypeAdapter(answer), answer=answer,
    )  # fmt: skip


def subject_of(
    function: Callable[..., Awaitable[Any]], resolvers: Mapping[str, Resolver]
) -> Resolver | None:
    """The resolver of the function's `Subject` parameter; None if it has no such parameter.

    Raises TypeError if no resolver has the parameter's name, or there are several parameters.
    """
    hints = get_type_hints(function)
    names = [name for name, kind in hints.items() if name != "return" and kind is Subject]
    if not names:
        return None
    if len(names) > 1 or names[0] not in resolvers:
        raise TypeError(
            f"{function.__name__}: a query has one `Subject` parameter, named like a resolver,"
            f" not {', '.join(names)}"
        )
    return resolvers[names[0]]
