"""The ASGI application: finds the route, calls its endpoint, converts errors, counts, in one pass.

Starlette's middleware would do the same in seven layers, which cost as much as reading a row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import cache, partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.http.operation import Operation
from services.http.problem import problem_of, unexpected
from services.http.response import send_response
from services.http.route_table import Addresses
from services.runtime import metrics

_OTHER = "other"  # the label `route` in metrics for paths without a route


class Application(Starlette):
    """The ASGI application of a process, made from the declarations of its routes.

    Every failure is answered with problem details: a refusal (`Refuse`), an unexpected error (which
    is logged), an unknown path. Metrics count and time the answers by route.
    """

    def __init__(
        self,
        service: str,
        operations: Sequence[Operation],
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        """`service`: the name of the process in metrics."""
        super().__init__()
        routes = [each.route() for each in operations]
        self._addresses = Addresses(routes, redirect_slashes=False, lifespan=lifespan)
        self.router = self._addresses
        self.state.operations = operations
        # cached: finding a series by its labels costs more than counting
        self._answers = cache(partial(metrics.RESPONSES.labels, service))
        self._seconds = cache(partial(metrics.REQUEST_SECONDS.labels, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request; leaves the lifespan and other protocols to Starlette."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                self._count_from_start()
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        status, started = 500, time.perf_counter()
        try:
            response = await self._response(Request(scope, receive, send), scope)
            status = response.status_code
            try:
                await send_response(response, scope, receive, send)
            except Exception as error:  # part of it may be sent, so no other answer is possible
                unexpected(error)
        finally:
            # Only declared routes become labels, or clients could create any number of series.
            route = scope.get("route")
            path = _OTHER if route is None else route.path
            self._answers(path, status).inc()
            self._seconds(path).observe(time.perf_counter() - started)

    async def _response(self, request: Request, scope: Scope) -> Response:
        """The answer of the route's endpoint; if it raises an error, the problem details of it."""
        try:
            response: Response = await self._addresses.find(scope).endpoint(request)
            return response
        except Exception as error:
            return problem_of(error, scope["method"]) or unexpected(error)

    def _count_from_start(self) -> None:
        """Creates the counters of every route and of frequent statuses with value 0, so that the
        first error is an increase.
        """
        for path in sorted({each.path for each in self.state.operations} | {_OTHER}):
            for status in (200, 202, 500, 503):
                self._answers(path, status)
        self._seconds(_OTHER)
