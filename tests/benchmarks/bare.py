"""The least that could say yes once: a conditional UPDATE and an outbox row, behind HTTP.

The server, its settings and the framework of the product; no token, no key, no stored answer, no
hold that ends. A transaction each, over as many connections as clients.

python -m tests.benchmarks.bare DSN PORT CONNECTIONS
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.http.response import OneWriteProtocol

TAKE = """
update peers.stock set reserved = reserved + 1 where sku = %s and on_hand - reserved >= 1
"""
NOTE = "insert into peers.outbox (sku) values (%s)"
PATH = "/take"


def create(dsn: str, connections: int) -> Starlette:
    """The application."""
    pool = AsyncConnectionPool(dsn, min_size=connections, max_size=connections, open=False)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await pool.open(wait=True)
        try:
            yield
        finally:
            await pool.close()

    async def take(request: Request) -> Response:
        sku = (await request.json())["sku"]
        async with pool.connection() as connection:
            taken = await connection.execute(TAKE, [sku])
            if taken.rowcount == 1:
                await connection.execute(NOTE, [sku])
        status = 201 if taken.rowcount == 1 else 409
        return JSONResponse({"sku": sku, "granted": taken.rowcount}, status)

    return Starlette(routes=[Route(PATH, take, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    _dsn, _port, _many = sys.argv[1:]
    uvicorn.run(
        create(_dsn, int(_many)), host="127.0.0.1", port=int(_port), loop="uvloop",
        http=OneWriteProtocol, log_config=None, access_log=False, server_header=False,
    )  # fmt: skip
