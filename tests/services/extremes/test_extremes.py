"""Does every address of every process give an answer or a refusal, whatever it is asked?"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from starlette.applications import Starlette

from infra.home import free_port
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.wire import codec
from services.api.app import create as create_api
from services.cli.local_services import TOKENS as SCOPES
from services.commands.app import create as create_commands
from services.identity_app.app import create as create_identity
from services.runtime.tokens import register
from tests.schemas.sealers import OpenSealer
from tests.services.extremes.values import (
    INSTANTS,
    KNOWN,
    NEVER_SEEN,
    NOT_INSTANTS,
    SKU,
    Try,
    as_json,
    resolved,
    tries,
)
from tests.services.rebuild.road import Road, road
from tests.services.rebuild.trade import send

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
TOKEN = "token-of-a-test-that-may-all"
APPS = {"api": create_api, "commands": create_commands, "identity_app": create_identity}
ERASES = ("SubjectErased",)
# what a person types for "for ever", and the most that fits
FAR = {
    "typed": ("DURABLE", 9_999_999), "most": ("DURABLE", 2**31 - 1),
    "refilled": ("REPLENISHABLE", 2**31 - 1),
}  # fmt: skip


class Processes:
    """A road with one of each fact on it, and every process that is asked."""

    def __init__(self, own: Road) -> None:
        self.road = own
        with psycopg.connect(own.endpoints.postgres, autocommit=True) as connection:
            scopes = {scope for one in SCOPES.values() for scope in one}
            register(
                connection,
                "all",
                tuple(sorted({*scopes, "channel:*", "store:*"})),
                TOKEN,
                "operations",
            )
        own.start("projector")
        self.ports = {name: free_port() for name in APPS}
        for name, port in self.ports.items():
            own.start(name, HITOTSU_PORT=str(port))
        self.client = httpx.Client(timeout=20, trust_env=False)
        self.apps: dict[str, Starlette] = {
            name: create(own.settings) for name, create in APPS.items()
        }

    def append(self, name: str, /, **changes: Any) -> None:
        event = to_event(parse(example(name)), OpenSealer())
        meta = replace(event.meta, event_id=uuid4().bytes)
        event = replace(event, **{"meta": meta, **changes})
        send(
            self.road.endpoints.kafka,
            iter([(event.TOPIC, codec.key_of(event), codec.encode(event))]),
        )

    def document(self, name: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while True:
            try:
                found = self.client.get(f"http://127.0.0.1:{self.ports[name]}/openapi.json")
                assert found.status_code == 200
                return dict(found.json())
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def ask(
        self, name: str, method: str, path: str, query: Any = None, body: Any = None,
        headers: Any = None,
    ) -> httpx.Response:  # fmt: skip
        headers = {
            "Authorization": f"Bearer {TOKEN}", "Idempotency-Key": uuid4().hex, **(headers or {}),
        }  # fmt: skip
        content = None
        if method == "POST":
            headers["Content-Type"] = "application/json"
            content = as_json(body)
        url = httpx.URL(f"http://127.0.0.1:{self.ports[name]}").join(
            "/" + "/".join(_escaped(part) for part in path.lstrip("/").split("/"))
        )
        asked = [(key, _text(value)) for key, value in (query or {}).items()]
        return self.client.request(
            method, url, params=asked or None, headers=headers, content=content
        )


def _escaped(part: str) -> str:
    return quote(part, safe="", errors="surrogatepass")


def _text(value: Any) -> str:
    return "�" if value == "\ud800" else str(value)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with road(tmp_path_factory.mktemp("extremes"), {"app": "app-token-of-a-test"}) as own:
        made = Processes(own)
        try:
            told = [name for name in INPUTS if name not in ERASES]
            for name in told:
                made.append(name)
            for sku, (kind, days) in FAR.items():
                made.append("NeedPolicySet", sku=sku, category=None, kind=kind, interval_days=days)
                made.append("ItemDescribed", sku=sku)
            line = to_event(parse(example("PurchaseCompleted")), OpenSealer()).lines[0]
            lines = [replace(line, sku=sku, line_no=no) for no, sku in enumerate(FAR, 1)]
            made.append("PurchaseCompleted", transaction_id=uuid4().bytes, lines=lines)
            own.settle(len(told) + 2 * len(FAR) + 1)
            for name in APPS:
                made.document(name)
            yield made
        finally:
            made.client.close()


@pytest.mark.parametrize("name", APPS)
def test_no_value_is_a_fault_at_any_address(processes: Processes, name: str) -> None:
    faults, statuses = [], defaultdict[int, int](int)
    for one in tries(processes.document(name)):
        answer = processes.ask(name, one.method, one.path, one.query, one.body)
        statuses[answer.status_code] += 1
        if answer.status_code >= 500 and not _excused(name, one, answer):
            faults.append(f"{answer.status_code} {one.method} {one.path} {one.query} {one.body}")
    assert faults == [], f"{len(faults)}: " + "\n".join(str(one)[:300] for one in faults[:40])
    assert statuses[422] > 50


def _excused(name: str, one: Try, answer: httpx.Response) -> bool:
    """Without rules in force nobody can be compared: that is said, and nothing is wrong."""
    compares = one.route in ("/v1/identity/search", "/v1/identity/cases")
    return name == "identity_app" and compares and answer.status_code == 503


@pytest.mark.parametrize("name", APPS)
def test_every_address_is_described_and_so_tried(processes: Processes, name: str) -> None:
    described = processes.document(name)["paths"]
    served = {
        (route.path, method.lower())  # type: ignore[attr-defined]
        for route in processes.apps[name].routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert served == {(path, method) for path, methods in described.items() for method in methods}


def instants(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Address, method and name of each parameter that is an instant."""
    for route, methods in document["paths"].items():
        for method, what in methods.items():
            for one in what.get("parameters", ()):
                if resolved(document, one["schema"]).get("format") == "date-time":
                    yield route, method, one["name"]


def test_a_time_is_rfc_3339_with_its_offset_or_is_refused(processes: Processes) -> None:
    document = processes.document("api")
    asked = list(instants(document))
    assert len(asked) >= 6
    for route, method, name in asked:
        path = route.replace("{member_id}", KNOWN).replace("{sku}", SKU)
        query = {"location_id": "S001"} if "movements" in route else {}
        for text in NOT_INSTANTS:
            answer = processes.ask("api", method.upper(), path, {**query, name: text})
            assert answer.status_code == 422, f"{path} {name}={text}: {answer.text}"
            (error,) = answer.json()["errors"]
            assert error["pointer"] == f"/query/{name}"
            assert "RFC 3339" in error["reason"] or "year" in error["reason"], error
        for text in INSTANTS:
            answer = processes.ask("api", method.upper(), path, {**query, name: text})
            assert answer.status_code in (200, 404), f"{path} {name}={text}: {answer.text}"


def test_a_time_in_a_body_is_rfc_3339_with_its_offset_or_is_refused(processes: Processes) -> None:
    asked = 0
    for name in APPS:
        document = processes.document(name)
        for one in tries(document):
            if one.field.rpartition("/")[2] in _times(document, one):
                asked += 1
                text = one.body[one.field]
                answer = processes.ask(name, one.method, one.path, one.query, one.body)
                assert (answer.status_code == 422) == (text in NOT_INSTANTS), f"{text}: {answer}"
                if answer.status_code == 422:
                    assert answer.json()["errors"][0]["pointer"].endswith(one.field)
    assert asked >= len(NOT_INSTANTS) + len(INSTANTS)
    for number in (20261120, 1.5, True):
        body = {"member_id": KNOWN, "candidates": [SKU], "at": number}
        answer = processes.ask("api", "POST", "/v1/recommendations/filter", body=body)
        assert answer.status_code == 422, answer.text


def _times(document: dict[str, Any], one: Try) -> set[str]:
    """The fields of the body of this address that are instants."""
    what = document["paths"][one.route][one.method.lower()]
    if one.body is None or not isinstance(one.body, dict) or "requestBody" not in what:
        return set()
    content = what["requestBody"]["content"]["application/json"]
    properties = resolved(document, content["schema"]).get("properties", {})
    return {
        name
        for name, schema in properties.items()
        if resolved(document, schema).get("format") == "date-time"
    }


def test_an_interval_beyond_all_times_means_for_ever(processes: Processes) -> None:
    body = {"member_id": KNOWN, "candidates": [*FAR, "never bought"]}
    answer = processes.ask("api", "POST", "/v1/recommendations/filter", body=body)
    assert answer.status_code == 200, answer.text
    dropped = answer.json()["data"]["dropped"]
    assert {one["sku"]: one["until"] for one in dropped} == dict.fromkeys(FAR)
    for query in ({}, {"at": "9999-12-31T23:59:59Z"}):
        answer = processes.ask("api", "GET", f"/v1/members/{KNOWN}/suppressions", query)
        assert answer.status_code == 200, answer.text
        assert {one["sku"]: one["until"] for one in answer.json()["data"]} == dict.fromkeys(FAR)
    assert processes.ask("api", "GET", f"/v1/members/{KNOWN}").status_code == 200


def test_a_member_of_whom_nothing_was_seen_is_not_found_anywhere(processes: Processes) -> None:
    document = processes.document("api")
    routes = [route for route in document["paths"] if "{member_id}" in route]
    assert len(routes) >= 9
    body = {"member_id": NEVER_SEEN, "candidates": [SKU]}
    answers = {
        route: processes.ask(
            "api", "GET", route.replace("{member_id}", NEVER_SEEN), {"other": KNOWN}
            if route.endswith("/why") else None,
        )
        for route in routes
    }  # fmt: skip
    answers["filter"] = processes.ask("api", "POST", "/v1/recommendations/filter", body=body)
    assert {route: one.status_code for route, one in answers.items()} == dict.fromkeys(answers, 404)
    asked = {"profile_id": NEVER_SEEN, "channel": "STORE", "points": 1}
    for path in ("/v1/points/holds", "/v1/points/redemptions"):
        answer = processes.ask("commands", "POST", path, body=asked)
        assert answer.status_code == 404, answer.text
    lines = [{"line_no": 1, "quantity": 1}]
    back = {"transaction_id": str(uuid4()), "profile_id": NEVER_SEEN, "lines": lines}
    assert processes.ask("commands", "POST", "/v1/points/returns", body=back).status_code == 404


def test_a_profile_of_which_anything_was_seen_is_known_everywhere(processes: Processes) -> None:
    """Never registered: one bought, one earned, one asked something."""
    bought, earned, asked = (uuid4() for _ in range(3))
    before = processes.road.applied()
    processes.append("PurchaseCompleted", profile_id=bought.bytes, transaction_id=uuid4().bytes)
    processes.append("PointsEarned", profile_id=earned.bytes)
    processes.append("InquiryOpened", profile_id=asked.bytes, inquiry_id=uuid4().bytes)
    processes.road.settle(before + 3)
    document = processes.document("api")
    routes = [route for route in document["paths"] if "{member_id}" in route]
    for profile in (bought, earned, asked):
        for route in routes:
            if route.endswith("/why"):
                continue  # it is about how registered profiles hang together
            path = route.replace("{member_id}", str(profile))
            answer = processes.ask("api", "GET", path)
            assert answer.status_code == 200, f"{path}: {answer.text}"
    hold = {"profile_id": str(bought), "channel": "STORE", "points": 1}
    answer = processes.ask("commands", "POST", "/v1/points/holds", body=hold)
    assert answer.status_code == 409, answer.text


NO_PLACES = (
    '{"commerce.points-99": 5}', '{"commerce.points-99": 0}', '{"commerce.unheard-0": 1}',
    "commerce.points-0", '{"commerce.points-0": -1}', "{",
)  # fmt: skip


@pytest.mark.parametrize("place", NO_PLACES)
def test_a_position_that_cannot_be_is_refused_at_once(processes: Processes, place: str) -> None:
    path = f"/v1/stock/{SKU}"
    for where, more in (
        ("/query/min_position", {"query": {"min_position": place}}),
        ("/header/Min-Position", {"headers": {"Min-Position": place}}),
    ):
        began = time.monotonic()
        answer = processes.ask("api", "GET", path, **more)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == where
        assert time.monotonic() - began < 4.5, "it waits for five seconds otherwise"


def test_a_partition_that_was_added_is_waited_for(processes: Processes) -> None:
    """It is there though nobody declared it, and nothing is in it yet."""
    admin = AdminClient({"bootstrap.servers": processes.road.endpoints.kafka})
    for future in admin.create_partitions([NewPartitions("commerce.inquiries", 11)]).values():
        future.result(10)
    path = "/v1/inquiries"
    answer = processes.ask("api", "GET", path, {"min_position": '{"commerce.inquiries-10": 0}'})
    assert answer.status_code == 200, answer.text
    answer = processes.ask("api", "GET", path, {"min_position": '{"commerce.inquiries-11": 0}'})
    assert answer.status_code == 422, answer.text


def test_commands_write_times_as_the_api_does(processes: Processes) -> None:
    """RFC 3339 in UTC, with a Z."""
    lines = [{"sku": SKU, "location_id": "S001", "quantity": 1}]
    before = processes.road.applied()
    processes.append("StockReceived", sku=SKU, location_id="S001", quantity=1_000)
    processes.road.settle(before + 1)
    body = {"channel": "EC", "lines": lines, "ttl_seconds": 3}
    made = processes.ask("commands", "POST", "/v1/stock/reservations", body=body)
    assert made.status_code == 201, made.text
    name = made.json()["reservation_id"]
    path = f"/v1/stock/reservations/{name}"
    extended = processes.ask("commands", "POST", f"{path}/extend", body={"ttl_seconds": 3})
    state = processes.ask("commands", "GET", path)
    for answer in (made, extended, state):
        assert _RFC_3339.fullmatch(answer.json()["expires_at"]), answer.text
    time.sleep(3.1)
    late = processes.ask("commands", "POST", f"{path}/release", body={})
    assert late.json()["type"] == "/problems/expired"
    assert _RFC_3339.search(late.json()["detail"]), late.text


_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
