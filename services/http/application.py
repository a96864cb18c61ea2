"""How is a request answered? In one pass: route, endpoint, problem, counting, for every route.

The framework's middleware does the same in seven layers; each wraps what is sent, and together they
cost as much as reading a row.
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

_OTHER = "other"  # the route in metrics of a path that no route has


class Application(Starlette):
    """The ASGI application of a process, from the declarations of its routes.

    Every failure becomes a problem: what an endpoint raises to refuse, what it raises unexpectedly
    (with a log line), an unknown path. Answers are counted and timed by route.
    """

    def __init__(
        self,
        service: str,
        operations: Sequence[Operation],
        lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]],
    ) -> None:
        """`service`: its name in metrics."""
        super().__init__()
        routes = [each.route() for each in operations]
        self._addresses = Addresses(routes, redirect_slashes=False, lifespan=lifespan)
        self.router = self._addresses
        self.state.operations = operations
        # looked up once: finding a series by its labels costs more than counting
        self._answers = cache(partial(metrics.RESPONSES.labels, service))
        self._seconds = cache(partial(metrics.REQUEST_SECONDS.labels, service))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the process; other protocols are the framework's."""
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
            except Exception as error:  # it may have left in part: there is no other answer
                unexpected(error)
        finally:
            # Only declared routes become labels, or strangers could make series without end.
            route = scope.get("route")
            path = _OTHER if route is None else route.path
            self._answers(path, status).inc()
            self._seconds(path).observe(time.perf_counter() - started)

    async def _response(self, request: Request, scope: Scope) -> Response:
        """What the route's endpoint answers, or the problem that it ended with."""
        try:
            response: Response = await self._addresses.find(scope).endpoint(request)
            return response
        except Exception as error:
            return problem_of(error, scope["method"]) or unexpected(error)

    def _count_from_start(self) -> None:
        """Answers of each route are counted from 0 on, so that the first error is an increase."""
        for path in sorted({each.path for each in self.state.operations} | {_OTHER}):
            for status in (200, 202, 500, 503):
                self._answers(path, status)
        self._seconds(_OTHER)
