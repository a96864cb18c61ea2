"""Is a lag that the API cannot know told as unknown, and only that one?"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator

import pytest

from infra.backend import Endpoints
from infra.home import free_port
from infra.topics import create_all
from projections import discover
from services.reading.catalog import Catalog
from services.reading.end_offsets import NO_POSITION, Ends
from services.reading.redis_views import ViewReader
from services.reading.refresh import ReadRefresh
from services.runtime.db import pool
from services.runtime.end_offsets import EndOffsets
from services.runtime.metrics import API_LAG
from services.runtime.readiness import NotReady

SALES, POINTS = "commerce.purchases", "commerce.points"
pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def kafka(servers: Endpoints) -> Iterator[str]:
    """A broker with the product's topics."""
    asyncio.run(create_all(servers.kafka))
    yield servers.kafka


async def _learnt(kafka: str, *topics: str) -> Ends:
    ends = Ends(kafka, topics)
    await ends.refresh()
    await ends.close()
    return ends


async def test_one_missing_topic_leaves_the_lag_of_the_others_known(kafka: str) -> None:
    ends = await _learnt(kafka, SALES, "commerce.nowhere")
    late, reason = ends.lag({}, [SALES])
    assert late is not None
    assert reason is None
    late, reason = ends.lag({}, [SALES, "commerce.nowhere"])
    assert late is None
    assert reason is not None
    assert "commerce.nowhere" in reason
    with pytest.raises(NotReady, match=r"topics missing: commerce\.nowhere"):
        ends.check()


async def test_a_topic_of_which_a_part_is_unknown_is_unknown(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = Ends(kafka, [SALES, POINTS])
    partly = EndOffsets({(SALES, 0): 5, (POINTS, 0): 3}, incomplete=frozenset({SALES}))

    async def ask(wanted: object = ()) -> EndOffsets:
        return partly

    monkeypatch.setattr(ends._kafka, "ask", ask)
    await ends.refresh()
    assert ends.lag({}, [SALES])[0] is None
    assert ends.lag({}, [POINTS]) == (3, None)


async def test_positions_that_were_never_read_are_no_lag(kafka: str) -> None:
    ends = await _learnt(kafka, SALES)
    assert ends.lag(None, [SALES]) == (None, NO_POSITION)


async def test_an_api_without_a_free_connection_shows_no_lag_instead_of_all_history(
    kafka: str,
) -> None:
    catalog = Catalog(discover())
    nowhere = f"127.0.0.1:{free_port()}"
    views = ViewReader(f"redis://{nowhere}/0", doubted=lambda: None)
    ends = Ends(kafka, frozenset().union(*catalog.topics.values()))
    # a pool that was never opened refuses at once
    watch = ReadRefresh(pool(f"postgresql://{nowhere}/none"), views, ends, catalog)
    await watch.start()
    try:
        deadline = time.monotonic() + 30
        while ends.lag({}, [SALES])[0] is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        API_LAG.clear()  # it is shown after each asking, once a second
        while not (lags := _shown_lags()).keys() >= catalog.topics["main"]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
    finally:
        await watch.stop()
        await views.close()
    assert all(math.isnan(lags[topic]) for topic in catalog.topics["main"]), lags


def _shown_lags() -> dict[str, float]:
    return {one.labels["topic"]: one.value for each in API_LAG.collect() for one in each.samples}
