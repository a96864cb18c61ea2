"""Creates the ASGI application of the read API: its routes, clients and background tasks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from starlette.applications import Starlette

from projections import discover
from projections.core import Projection
from services.api import PROCESS
from services.http.bearer import tokens_needed
from services.http.cursors import Cursors
from services.http.health import Dependency
from services.http.web_process import About, web_process
from services.reading.answers import Answering
from services.reading.catalog import Catalog
from services.reading.database import ask
from services.reading.end_offsets import Ends
from services.reading.event_lookup import event_operation
from services.reading.held_amounts import HeldAmountsReader
from services.reading.measures import ProjectionMeasures
from services.reading.operations import ReadOperation, of_query
from services.reading.reach import Reach
from services.reading.read_your_writes import WAIT_SECONDS, PositionWaiter
from services.reading.redis_views import ViewReader
from services.reading.refresh import ReadRefresh
from services.reading.subject_page import parts_of, subject_operation
from services.runtime.build_state import Builds
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.keys import SubjectKeys
from services.runtime.tokens import Tokens

ABOUT = About(
    PROCESS.name,
    "Hitotsu read API",
    "Reads members, purchases, points, inquiries, stock and the catalogue. Every answer of a query"
    " is `{data, position, lag, served_from}`; paged answers also have `next_cursor`. Send"
    " `min_position` to read your own writes.",
    'curl -sS "$API/v1/stock/$SKU" -H "Authorization: Bearer $TOKEN"',
)


def create(
    settings: Settings,
    projections: Sequence[Projection] | None = None,
    wait_seconds: float = WAIT_SECONDS,
) -> Starlette:
    """The ASGI application; it starts even while Postgres, Redis or Kafka are away.

    `projections`: None for all declared ones. `wait_seconds`: how long to wait for `min_position`.
    """
    declared = discover() if projections is None else projections
    catalog = Catalog(declared, settings.group, settings.of_queries)
    postgres = pool(
        settings.postgres, group=",".join(catalog.groups), name="api", size=12, timeout=2.0
    )
    ends = Ends(settings.kafka, frozenset().union(*catalog.topics.values()))
    held_amounts = HeldAmountsReader(postgres, settings.group)
    views = ViewReader(settings.redis, doubted=lambda: watch.doubted())
    builds = Builds(catalog.versions)
    watch = ReadRefresh(postgres, views, ends, catalog, builds)
    tokens = Tokens(postgres)
    answering = Answering(
        catalog=catalog, pool=postgres, views=views, held_amounts=held_amounts,
        reach=Reach(ends),
        tokens=tokens,
        # subject keys are not cached: the next answer after an erasure must lack personal values
        keys=SubjectKeys(postgres, settings.key_encryption_key, seconds=0.0),
        blind_key=settings.blind_index_key, cursors=Cursors(settings.blind_index_key),
        waiting=PositionWaiter(postgres, views, catalog, ends, wait_seconds),
        parts=parts_of(catalog), builds=builds,
    )  # fmt: skip
    operations = operations_of(catalog)
    measures = ProjectionMeasures(postgres, catalog, builds)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await watch.start()
        await measures.start()
        try:
            yield
        finally:
            await measures.stop()
            await watch.stop()
            await views.close()
            await held_amounts.close()
            await postgres.close(timeout=2.0)

    return web_process(
        ABOUT,
        [each.declared(answering.endpoint(each)) for each in operations],
        [*_dependencies(postgres, views, ends), tokens_needed(tokens)],
        lifespan,
    )


def operations_of(catalog: Catalog) -> list[ReadOperation]:
    """All read operations: queries of projections, subject pages, and the look-up of events."""
    queries = [query for projection in catalog.projections for query in projection.queries]
    pages = [subject_operation(query, queries, catalog) for query in queries if query.parts]
    plain = [of_query(query, catalog) for query in queries if not query.parts]
    return [*plain, *pages, event_operation(catalog)]


def _dependencies(postgres: Pool, views: ViewReader, ends: Ends) -> list[Dependency]:
    async def kafka() -> None:
        ends.check()

    # While Redis is away, Postgres is read. While Kafka is away, only the lag is unknown, and
    # whether a partition in `min_position` exists that no topic declares.
    return [
        Dependency("postgres", partial(_answers, postgres)),
        Dependency("redis", views.check, required=False),
        Dependency("kafka", kafka, required=False),
    ]


async def _answers(postgres: Pool) -> None:
    await ask(postgres, "select 1 from hitotsu.checkpoint limit 1", {})
