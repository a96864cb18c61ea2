"""Answers a query over HTTP: checks the caller, waits for the wanted position, runs the query, and
adds position and lag to the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import psycopg
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from projections.core import NotFound, Subject
from projections.core.query import Resolver
from services.http import building_problem
from services.http.caller import Caller, caller_of
from services.http.cursors import Cursors
from services.http.operation import Endpoint
from services.http.parameters import unprocessable
from services.http.problem import Refuse
from services.http.response import JsonText
from services.reading.catalog import Catalog
from services.reading.database import PostgresAway, ReadSnapshot
from services.reading.held_amounts import HeldAmountsReader
from services.reading.operations import Parts, ReadOperation
from services.reading.parameters import MIN_POSITION, ParsedRequest, asked_of
from services.reading.personal import PersonalValues
from services.reading.position import Position
from services.reading.reach import Reach
from services.reading.read_your_writes import PositionWaiter
from services.reading.reader import BadIdentifier, RequestReads
from services.reading.redis_views import ViewReader
from services.runtime.build_state import BeingBuilt, Builds
from services.runtime.db import Pool
from services.runtime.keys import SubjectKeys
from services.runtime.tokens import Tokens

_HEADERS: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"private, no-store"),)


@dataclass(frozen=True, slots=True)
class Answering:
    """The objects that all read endpoints share.

    `parts`: by the name of a subject's resolver, the queries that make up the subject's page.
    """

    catalog: Catalog
    pool: Pool
    views: ViewReader
    held_amounts: HeldAmountsReader
    reach: Reach
    tokens: Tokens
    keys: SubjectKeys
    blind_key: bytes
    cursors: Cursors
    waiting: PositionWaiter
    builds: Builds
    parts: Parts

    def endpoint(self, operation: ReadOperation) -> Endpoint:
        """The function that answers requests of this operation."""

        async def endpoint(request: Request) -> Response:
            caller = await caller_of(request, self.tokens, operation.scope)
            asked = await asked_of(request, operation, self.cursors)
            try:
                return await self._answer(operation, caller, asked)
            except BeingBuilt as error:
                raise building_problem.refusal(error.build) from None
            except PostgresAway as error:
                detail = f"Postgres cannot be read at the moment ({error}): send the request again."
                raise Refuse(503, "Service Unavailable", detail, retry_after=1) from None

        return endpoint

    async def _answer(
        self, operation: ReadOperation, caller: Caller, asked: ParsedRequest
    ) -> Response:
        wanted = {}
        if asked.wanted is not None:
            missing = await self.waiting.missing(asked.wanted)
            if missing is not None:
                reason = f"{missing[:64]}: there is no such partition"
                unprocessable([{"pointer": asked.wanted.pointer, "reason": reason}])
            wanted = await self.waiting.until(asked.wanted, operation.groups)
        reading = self._reading(caller, wanted, asked.durable)
        try:
            data = await self._ask(operation, reading, asked)
        finally:
            reading.close(operation.path)
        return self._envelope(operation, reading, asked, data)

    async def _ask(
        self, operation: ReadOperation, reading: RequestReads, asked: ParsedRequest
    ) -> Any:
        given = {name: asked.values[name] for name in operation.own}
        if operation.body is not None:
            given["body"] = asked.body
        if operation.page is not None:
            given[operation.page] = asked.page
        try:
            resolver = operation.subject
            if resolver is None:
                return await operation.function(reading, **given)
            whose = asked.values.get(resolver.parameter) or getattr(asked.body, resolver.parameter)
            subject = given[resolver.name] = await reading.subject(resolver, whose)
            data = await operation.function(reading, **given)
            if not reading.found_subject and not await self._known(resolver, subject, reading):
                raise NotFound(f"nothing is known of {whose}")
            return data
        except NotFound as error:
            raise Refuse(404, "Not Found", _sentence(str(error))) from None
        except BadIdentifier as error:
            unprocessable([{"pointer": _place(asked.body, error.value), "reason": str(error)}])
        except psycopg.DataError as error:
            # the parameters' types accept a value that Postgres refuses; its text may quote it
            reason = "has a value that cannot be compared with the stored type"
            unprocessable([{"pointer": "/query", "reason": f"{reason} ({type(error).__name__})"}])

    async def _known(self, resolver: Resolver, subject: Subject, asked: RequestReads) -> bool:
        """Whether any event about the subject was applied, even if this query uses none of them.

        Reads in Postgres, so that a lag of Redis does not make a known subject unknown. Adds
        nothing to the answer or to its position.
        """
        caller = replace(asked.caller, purpose=None)  # so no personal value is decrypted
        reading = self._reading(caller, asked.wanted, durable=True)
        try:
            await reading.subject(resolver, subject.id)
            for function in self.parts.get(resolver.name, ()):
                if reading.found_subject:
                    break
                await function(reading, **{resolver.name: subject})
        finally:
            reading.close("")
        return reading.found_subject

    def _reading(self, caller: Caller, wanted: Position, durable: bool) -> RequestReads:
        return RequestReads(
            catalog=self.catalog, views=None if durable else self.views,
            snapshot=ReadSnapshot(self.pool, self.catalog.groups), held_amounts=self.held_amounts,
            clear=PersonalValues(self.keys, caller), blind_key=self.blind_key, caller=caller,
            wanted=wanted, builds=self.builds,
        )  # fmt: skip

    def _envelope(
        self, operation: ReadOperation, reading: RequestReads, asked: ParsedRequest, data: Any
    ) -> Response:
        headers, paged = _HEADERS, b""
        if operation.page is not None:
            cursor = None
            if reading.next is not None:
                cursor = self.cursors.write(operation.path, reading.next)
                link = f'<{_next(operation, asked, cursor)}>; rel="next"'
                headers = (*headers, (b"link", link.encode("latin-1")))
            paged = b',"next_cursor":' + to_json(cursor)
        absent = _unset(data) if operation.tag == "api" else None
        data_json = operation.result.serializer.to_json(data, exclude=absent)
        reach = self.reach.of(reading.used)
        body = b'{"data":' + data_json + b"," + reach + paged + b"}"
        return JsonText(body, headers)


def _next(operation: ReadOperation, asked: ParsedRequest, cursor: str) -> str:
    kept = [(name, value) for name, value in asked.given if name not in ("cursor", MIN_POSITION)]
    return f"{operation.path}?{urlencode([*kept, ('cursor', cursor)])}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _unset(data: BaseModel) -> set[str]:
    """Names of the parts to leave out of the answer, because the token lacks their scope."""
    return set(type(data).model_fields) - data.model_fields_set


def _place(body: Any, value: str) -> str:
    """The JSON pointer of `value` in the body; "/body" if the body does not contain it."""
    return _search("/body", body.model_dump(), lambda one: bool(one == value)) or "/body"


def _search(pointer: str, within: Any, same: Callable[[Any], bool]) -> str | None:
    if same(within):
        return pointer
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(within, dict):
        entries = within.items()
    elif isinstance(within, list):
        entries = enumerate(within)
    found = (_search(f"{pointer}/{name}", one, same) for name, one in entries)
    return next((place for place in found if place), None)
