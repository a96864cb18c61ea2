"""Does the metric say how many discrepancies are open, and that it does not know?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest

from infra.backend import Endpoints
from projections import discover
from projections.discrepancies.kinds import KINDS
from projections.purchases.settlements import discrepancy_id
from schemas.generated.events import DiscrepancySettled, StockReceived, StockShipped
from services.reading.catalog import Catalog
from services.reading.measures import Measurement, ProjectionMeasures
from services.runtime.build_state import Builds
from services.runtime.db import pool
from services.runtime.metrics import DISCREPANCIES
from tests.projections.driving import Engine, Log
from tests.projections.saying import meta, named

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def engine(servers: Endpoints) -> Iterator[Engine]:
    own = Engine(servers)
    yield own
    own.close()


def shipped(order: str) -> StockShipped:
    return StockShipped(
        meta=meta(), sku="tea", location_id="GINZA", order_id=named(order), line_no=1, quantity=2
    )


def shown() -> dict[str, float]:
    (family,) = DISCREPANCIES.collect()
    return {sample.labels["kind"]: sample.value for sample in family.samples}


async def test_open_ones_are_counted_by_kind_and_what_fails_is_unknown(engine: Engine) -> None:
    received = StockReceived(meta=meta(), sku="tea", location_id="GINZA", quantity=1)
    odd = [shipped(f"o{number}") for number in range(3)]
    about = discrepancy_id("shipped_unordered", odd[0].meta.event_id.hex(), "tea", "GINZA")
    decision = DiscrepancySettled(
        meta=meta(), kind="shipped_unordered", resolution="DOCUMENT_RIGHT", actor="auditor",
        discrepancy_id=bytes.fromhex(about), subject_id=named("o0"),
    )  # fmt: skip
    log = Log()
    for event in (received, *odd, decision):
        log.append(event)
    engine.apply(log.batch())
    postgres = pool(engine.dsn, group="main", name="measures")
    await postgres.open()
    try:
        catalog = Catalog(discover())
        builds = Builds(catalog.versions)
        measures = ProjectionMeasures(postgres, catalog, builds)
        of_list = [one for one in measures.measurements if one.metric == "hitotsu_discrepancies"]
        assert all(math.isnan(value) for value in shown().values()), "nobody has counted yet"
        for one in of_list:  # nobody has said yet that the projections are complete
            assert all(math.isnan(value) for value in (await measures.measure(one)).values())
        builds._seen = True
        for one in of_list:
            one.set(await measures.measure(one))
        counted = dict.fromkeys(KINDS, 0) | {"shipped_unordered": 2, "negative_stock": 1}
        assert shown() == counted
        # one part fails: the others stay known
        broken = [_broken(one) if "clock" in one.gauges else one for one in of_list]
        for one in broken:
            one.set(await measures.measure(one))
        known = shown()
        assert math.isnan(known.pop("clock"))
        assert known == {kind: many for kind, many in counted.items() if kind != "clock"}
    finally:
        await postgres.close()


def _broken(one: Measurement) -> Measurement:
    return replace(one, statement="select 1 / 0")
