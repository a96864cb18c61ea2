"""What can one see of a gateway without sending it anything?"""

from __future__ import annotations

import base64
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.generated.inputs import INPUTS, example
from services.intake.answers import producer_events
from tests.services.gateway.running import PRIVATE_KEY, Gateway, event


@pytest.mark.servers
def test_the_document_and_the_page_describe_every_event(gateway: Gateway) -> None:
    described = gateway.http.get("/openapi.json").json()
    text = gateway.http.get("/docs").text
    for name in producer_events():
        reference = f"#/components/schemas/{INPUTS[name].__name__}"
        schema = {"$ref": reference, "components": described["components"]}
        jsonschema.Draft202012Validator(schema).validate(example(name))
        assert f'<details id="{INPUTS[name].__name__}">' in text
    assert "May be appended by:" in text


@pytest.mark.servers
def test_health_names_each_dependency(gateway: Gateway) -> None:
    ready = gateway.http.get("/readyz")
    assert ready.status_code == 200
    states: dict[str, Any] = ready.json()["dependencies"]
    assert states["kafka"]["ready"]
    assert states["postgres"]["ready"]


@pytest.mark.servers
def test_the_numbers_count_what_was_answered(gateway: Gateway) -> None:
    before = _numbers(gateway)
    gateway.post([event(), event(total="much")])
    after = _numbers(gateway)
    accepted = ("hitotsu_gateway_accepted_events_total", (("type", "PurchaseCompleted"),))
    refused = ("hitotsu_gateway_refused_events_total", (("reason", "invalid"),))
    assert after[accepted] - before.get(accepted, 0) == 1
    assert after[refused] - before.get(refused, 0) == 1
    assert after["hitotsu_gateway_in_flight_events", ()] == 0


@pytest.mark.servers
def test_the_public_pages_answer(gateway: Gateway) -> None:
    key = gateway.http.get("/v1/sealing-key").json()["public_key"]
    assert base64.b64decode(key) == bytes(PRIVATE_KEY.public_key)
    assert gateway.http.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert gateway.http.get("/docs").status_code == 200
    assert gateway.http.get("/livez").status_code == 200


def _numbers(gateway: Gateway) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = gateway.http.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
