"""The least that could answer a read: Starlette hands out JSON that it gets from Redis by its path.

The server, its settings and the framework of the product; no token, no position, no rows to read,
nothing held. The JSON was the product's answer.

python -m tests.benchmarks.bare_reads REDIS PORT
"""

from __future__ import annotations

import gc
import sys

import redis.asyncio as redis
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.http.response import OneWriteProtocol

KEY = "bare:"


def create(url: str) -> Starlette:
    """The application."""
    client = redis.Redis.from_url(url)

    async def read(request: Request) -> Response:
        found = await client.get(f"{KEY}{request.url.path}")
        return Response(found, 200 if found else 404, media_type="application/json")

    return Starlette(routes=[Route("/{rest:path}", read)])


if __name__ == "__main__":
    _url, _port = sys.argv[1:]
    application = create(_url)
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    uvicorn.run(
        application, host="127.0.0.1", port=int(_port), loop="uvloop", http=OneWriteProtocol,
        log_config=None, access_log=False, server_header=False,
    )  # fmt: skip
