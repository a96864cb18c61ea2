"""The OpenAPI document is what the API does: documented statuses and shapes, nothing else."""

from __future__ import annotations

import json
import math
import string
import time
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from infra.home import free_port
from projections import discover
from services.reading.catalog import Catalog
from services.reading.end_offsets import Ends
from services.reading.redis_views import ViewReader
from services.reading.refresh import ReadRefresh
from services.runtime.db import pool
from services.runtime.metrics import API_LAG
from tests.drawn import examples
from tests.services.api.conftest import Running
from tests.services.api.shop import ACCOUNT, ALONE, CARD, CLEAR_EMAIL, INQUIRY, SALE, named

pytestmark = pytest.mark.servers
REQUESTS = 1_000
SOUGHT = {"identifiers": [{"kind": "email", "value": CLEAR_EMAIL}]}
CANDIDATES = {"member_id": str(CARD), "candidates": ["tv"]}


@pytest.fixture(scope="module")
def document(api: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{api.url}/openapi.json", trust_env=False).json()
    return found


def schema_of(document: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any]:
    described = document["paths"][path][method.lower()]["responses"][str(status)]
    ((_, content),) = described["content"].items()
    return {**content["schema"], "components": document["components"]}


@pytest.mark.parametrize(
    ("path", "asked", "body"),
    [
        ("/v1/stock", "/v1/stock?limit=2", None),
        ("/v1/stock/{sku}", "/v1/stock/tv", None),
        ("/v1/stock/{sku}", "/v1/stock/tv?as_of=2026-01-01T00:00:00Z", None),
        ("/v1/stock/{sku}/movements", "/v1/stock/tv/movements?location_id=S2", None),
        ("/v1/members", "/v1/members", None),
        ("/v1/members/{member_id}", f"/v1/members/{ACCOUNT}", None),
        ("/v1/members/{member_id}/profiles", f"/v1/members/{CARD}/profiles", None),
        ("/v1/members/{member_id}/record", f"/v1/members/{ACCOUNT}/record", None),
        ("/v1/members/{member_id}/why", f"/v1/members/{CARD}/why?other={ACCOUNT}", None),
        ("/v1/members/{member_id}/why", f"/v1/members/{CARD}/why?other={ALONE}", None),
        ("/v1/identity/quarantined", "/v1/identity/quarantined", None),
        ("/v1/members/{member_id}/points", f"/v1/members/{CARD}/points", None),
        ("/v1/members/{member_id}/purchases", f"/v1/members/{CARD}/purchases", None),
        ("/v1/purchases/{transaction_id}", f"/v1/purchases/{SALE}", None),
        ("/v1/members/{member_id}/suppressions", f"/v1/members/{CARD}/suppressions", None),
        ("/v1/members/{member_id}/inquiries", f"/v1/members/{CARD}/inquiries", None),
        ("/v1/members/resolve", "/v1/members/resolve", SOUGHT),
        ("/v1/purchases/search", "/v1/purchases/search", {"receipt_number": "000017"}),
        ("/v1/recommendations/filter", "/v1/recommendations/filter", CANDIDATES),
        ("/v1/inquiries", "/v1/inquiries", None),
        ("/v1/inquiries/{inquiry_id}", f"/v1/inquiries/{INQUIRY}", None),
        ("/v1/inquiries/counts", "/v1/inquiries/counts?by=sku", None),
        ("/v1/items/{sku}", "/v1/items/tv", None),
        ("/v1/locations/{location_id}", "/v1/locations/S1", None),
        ("/v1/terminals/gaps", "/v1/terminals/gaps", None),
        ("/v1/events/{event_id}", f"/v1/events/{named('applied')}", None),
    ],
)  # fmt: skip
def test_every_answer_has_the_documented_shape(
    api: Running, document: dict[str, Any], path: str, asked: str, body: Any
) -> None:
    method = "GET" if body is None else "POST"
    got = api.ask(asked, method=method, json=body, headers={"Purpose": "support"})
    assert got.status_code == 200, got.text
    jsonschema.validate(got.json(), schema_of(document, path, method, 200))


def test_every_route_is_documented_with_the_refusals_it_can_give(document: dict[str, Any]) -> None:
    asked = {
        (path, method)
        for path, methods in document["paths"].items()
        if path.startswith("/v1/")
        for method in methods
    }
    assert len(asked) >= 16
    for path, method in asked:
        responses = document["paths"][path][method]["responses"]
        assert {"200", "401", "403", "404", "422", "503", "504"} <= set(responses)


def test_the_document_s_page_loads_nothing_from_elsewhere(api: Running) -> None:
    page = httpx.get(f"{api.url}/docs", trust_env=False)
    assert page.status_code == 200
    assert "://" not in page.text.replace('lang="en"', "")
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_numbers_can_be_read_by_prometheus(api: Running) -> None:
    api.answer("/v1/stock/tv")
    _wait_for_kafka(api)
    text = httpx.get(f"{api.url}/metrics", trust_env=False).text
    samples = [
        sample for family in text_string_to_metric_families(text) for sample in family.samples
    ]
    found = {sample.name for sample in samples}
    wanted = {
        "hitotsu_api_reads_total",
        "hitotsu_api_lag_events",
        "hitotsu_api_position_wait_seconds_count",
    }
    assert wanted <= found
    lags = [sample.value for sample in samples if sample.name == "hitotsu_api_lag_events"]
    assert all(lag >= 0 for lag in lags), "Kafka has answered, so the lag is a number"
    assert 'route="/v1/stock/{sku}"' in text
    assert set(_dependencies(api)) == {"postgres", "redis", "kafka", "tokens"}


def _wait_for_kafka(api: Running) -> None:
    """Readiness does not wait for it: without Kafka only the lag is unknown."""
    deadline = time.monotonic() + 20
    while not _dependencies(api)["kafka"]["ready"]:
        assert time.monotonic() < deadline, api.log.read_text()
        time.sleep(0.05)


def _dependencies(api: Running) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{api.url}/readyz", trust_env=False).json()["dependencies"]
    return found


async def test_a_lag_that_was_not_measured_yet_is_unknown_and_not_missing() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    catalog = Catalog(discover())
    topics = frozenset().union(*catalog.topics.values())
    views = ViewReader(f"redis://{nowhere}/0", doubted=lambda: None)
    # a pool that was never opened refuses at once
    watch = ReadRefresh(pool(f"postgresql://{nowhere}/none"), views, Ends(nowhere, topics), catalog)
    API_LAG.clear()
    await watch.start()
    try:
        # nothing was awaited since, so Kafka has not even been asked
        lags = {
            one.labels["topic"]: one.value for each in API_LAG.collect() for one in each.samples
        }
    finally:
        await watch.stop()
        await views.close()
    assert set(lags) == topics
    assert all(math.isnan(lag) for lag in lags.values())


ODD = st.one_of(
    st.text(max_size=30),
    st.text(alphabet=string.printable, max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.uuids().map(str),
    st.sampled_from(
        [
            "tv",
            "tea",
            str(CARD),
            str(ACCOUNT),
            str(INQUIRY),
            "\0",
            "..",
            "%",
            "0",
            "-1",
            "null",
            "[]",
        ]
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ODD,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
IDENTIFIER = st.fixed_dictionaries(
    {"kind": st.sampled_from(["email", "phone", "card", "x"]) | ODD, "value": ODD}
)
BODY = st.one_of(
    JSON,
    st.fixed_dictionaries({"identifiers": st.lists(IDENTIFIER | JSON, max_size=3)}),
    st.fixed_dictionaries(
        {"member_id": st.sampled_from([str(CARD)]) | ODD, "candidates": st.lists(ODD, max_size=4)},
        optional={"at": ODD, "else": JSON},
    ),
)  # fmt: skip
QUERY = st.dictionaries(
    st.sampled_from(
        [
            "limit",
            "cursor",
            "at",
            "as_of",
            "location_id",
            "by",
            "topic",
            "sku",
            "store_id",
            "other",
            "member_id",
        ]
    ),
    ODD,
    max_size=3,
)
HEADERS = st.dictionaries(
    st.sampled_from(["Purpose", "Cache-Control"]), st.sampled_from(["support", "no-cache", "?"])
)


def test_a_thousand_strange_requests_get_documented_answers_only(
    api: Running, document: dict[str, Any]
) -> None:
    routes = [(path, method) for path, methods in document["paths"].items() for method in methods]
    seen: dict[int, int] = {}
    with httpx.Client(base_url=api.url, timeout=15, trust_env=False) as client:

        @settings(
            max_examples=examples(REQUESTS), deadline=None, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(st.data())
        def strange(data: st.DataObject) -> None:
            path, method = data.draw(st.sampled_from(routes))
            asked = path
            for name in ("sku", "member_id", "inquiry_id", "event_id"):
                asked = asked.replace(
                    f"{{{name}}}", quote(data.draw(ODD) or "-", safe="", errors="replace")
                )
            headers = {"Authorization": "Bearer staff-token", **data.draw(HEADERS)}
            content = None
            if method == "post":
                content = json.dumps(data.draw(BODY)).encode("utf-8", "replace")
                headers["Content-Type"] = "application/json"
            query = {
                name: value.encode("utf-8", "replace").decode()
                for name, value in data.draw(QUERY).items()
            }
            got = client.request(
                method.upper(), asked, params=query, headers=headers, content=content
            )
            seen[got.status_code] = seen.get(got.status_code, 0) + 1
            responses = document["paths"][path][method]["responses"]
            # a name of dots may lead to another address
            assert str(got.status_code) in responses or got.status_code == 405, (
                asked,
                query,
                got.text,
            )
            assert got.status_code < 500, (asked, query, content, got.text)

        strange()
    assert seen[200] > 20, seen
    assert seen[422] > 20, seen
