"""What does the gateway answer to what a producer sends, and what is in the log then?"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from nacl.public import PrivateKey, SealedBox

from schemas.generated.inputs import INPUTS
from schemas.wire import codec
from services.sdk import uuid7
from tests.services.gateway.running import PRIVATE_KEY, Gateway, ends, event, record_at, records

pytestmark = pytest.mark.servers
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_an_accepted_sale_is_in_the_log_where_the_answer_says(gateway: Gateway) -> None:
    sale = event()
    answer = gateway.post(sale, traceparent=TRACE)
    assert answer.status_code == 202
    (result,) = answer.json()["results"]
    assert result["event_id"] == sale["meta"]["event_id"]
    record = record_at(gateway.servers, result["topic"], result["partition"], result["offset"])
    written: Any = codec.decode(record.value())
    assert written.NAME == "PurchaseCompleted"
    assert written.total == sale["total"]
    assert record.key() == written.transaction_id
    headers = dict(record.headers())
    assert headers["ce_id"].decode() == sale["meta"]["event_id"]
    assert headers["traceparent"].decode() == TRACE


def test_every_event_of_the_contracts_has_an_example_that_goes_in(gateway: Gateway) -> None:
    names = sorted(set(INPUTS) - {"SubjectErased"})
    answer = gateway.post([event(name) for name in names], token="operator")
    assert answer.status_code == 202
    assert [r["status"] for r in answer.json()["results"]] == ["accepted"] * len(names)


def test_each_event_is_answered_in_the_order_given(gateway: Gateway) -> None:
    good, bad = event(), event(total="much")
    answer = gateway.post([good, bad, 7, event()]).json()
    assert [result["index"] for result in answer["results"]] == [0, 1, 2, 3]
    statuses = [result["status"] for result in answer["results"]]
    assert statuses == ["accepted", "rejected", "rejected", "accepted"]
    assert answer["results"][1]["field"] == "total"
    assert answer["results"][1]["event_id"] == bad["meta"]["event_id"]
    assert (answer["accepted"], answer["rejected"]) == (2, 2)


def test_nothing_good_is_422(gateway: Gateway) -> None:
    answer = gateway.post([event(lines=[]), {}])
    assert answer.status_code == 422
    assert [result["field"] for result in answer.json()["results"]] == ["lines", "type"]


def test_ndjson_refuses_the_broken_line_alone(gateway: Gateway) -> None:
    lines = [json.dumps(event()).encode(), b"", b'{"type":', json.dumps(event()).encode()]
    answer = gateway.post(b"\n".join(lines), Content_Type="application/x-ndjson")
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["accepted", "rejected", "accepted"]


def test_a_resend_is_accepted_again(gateway: Gateway) -> None:
    sale = event()
    assert gateway.post([sale, sale]).json()["accepted"] == 2
    assert gateway.post(sale).json()["accepted"] == 1


def test_a_thousand_events_go_in_at_once(gateway: Gateway) -> None:
    small = [event("StockAdjusted") for _ in range(1_000)]
    answer = gateway.post(small)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1_000


BROKEN = {
    "no JSON": b"{",
    "two values": b"{}{}",
    "nothing": b"",
    "no event": b"[]",
    "NaN": b'[{"a": NaN}]',
    "infinity": b'[{"a": -Infinity}]',
    "twice the same key": b'[{"type": "A", "type": "B"}]',
    "five thousand digits": b"[" + b"9" * 5_000 + b"]",
    "depth without end": b"[" * 200_000,
    "not UTF-8": b'["\xff"]',
    "a byte order mark": b"\xef\xbb\xbf[]",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_body_that_cannot_be_read_is_400(gateway: Gateway, body: bytes) -> None:
    answer = gateway.post(body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/bad-request"
    assert gateway.http.get(answer.json()["type"]).status_code == 200


HOSTILE = {
    "location_id": "\0",
    "receipt_number": "\ud800",
    "total": 2**70,
    "tax": 1.5,
    "profile_id": "not-a-uuid",
    "currency": "yen",
    "lines": [{}] * 501,
    "extra": 1,
    "meta": None,
    "type": ["PurchaseCompleted"],
}


@pytest.mark.parametrize("field", HOSTILE)
def test_a_hostile_value_is_rejected_by_name(gateway: Gateway, field: str) -> None:
    body = json.dumps(event(**{field: HOSTILE[field]})).encode()
    answer = gateway.post(body)
    assert answer.status_code == 422
    (result,) = answer.json()["results"]
    assert result["field"].split(".")[0] == field
    assert result["reason"]


def test_strangers_are_401_and_told_how_to_come(gateway: Gateway) -> None:
    for header in ("", "Basic eDp5", "Bearer", "Bearer nobody", "Bearer " + "x" * 5_000):
        answer = gateway.post(event(), Authorization=header)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_reader_may_not_write(gateway: Gateway) -> None:
    assert gateway.post(event(), token="app").status_code == 403


def test_a_till_that_claims_to_be_the_web_shop_is_403_and_nothing_goes_in(gateway: Gateway) -> None:
    before = ends(gateway.servers, "commerce.purchases")
    own, foreign = event(), event()
    foreign["meta"]["producer"]["channel"] = "EC"
    answer = gateway.post([own, foreign], token="till")
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["pointer"] == "/1/meta/producer/channel"
    assert ends(gateway.servers, "commerce.purchases") == before
    assert gateway.post(own, token="till").status_code == 202


def test_what_is_too_large_is_413(gateway: Gateway) -> None:
    assert gateway.post(b" " * 1_048_577).status_code == 413
    assert gateway.post(b" " * 65_536 for _ in range(17)).status_code == 413
    assert gateway.post([{}] * 1_001).status_code == 413
    exactly = json.dumps([event()]).encode().ljust(1_048_576)
    assert gateway.post(exactly).status_code == 202


def test_other_addresses_methods_and_types_are_problems_too(gateway: Gateway) -> None:
    assert gateway.http.get("/nowhere").json()["status"] == 404
    not_allowed = gateway.http.get("/v1/events")
    assert (not_allowed.status_code, not_allowed.headers["allow"]) == (405, "POST")
    assert gateway.post(b"x", Content_Type="text/plain").status_code == 415
    assert gateway.post(b"x", Content_Encoding="gzip").status_code == 415


def test_what_hitotsu_decides_is_not_taken_from_a_till(gateway: Gateway) -> None:
    for name in ("SubjectErased", "ProfilesLinked", "ReservationCommitted", "DeadLettered"):
        sent = event(name) if name in INPUTS else {"type": name}
        (result,) = gateway.post([sent], token="till").json()["results"]
        assert (result["status"], result["field"]) == ("rejected", "type")


def test_personal_fields_are_sealed_before_they_are_written(gateway: Gateway) -> None:
    profile = event("ProfileRegistered", profile_id=uuid7())
    before = ends(gateway.servers, "commerce.members")
    assert gateway.post(profile).status_code == 202
    clear = [profile["name"], *(each["value"] for each in profile["identifiers"])]
    written = records(gateway.servers, "commerce.members", before)
    assert written
    for record in written:
        assert not any(text.encode() in record.value() for text in clear)
    assert not any(text in gateway.log() for text in clear)


def test_what_a_till_sealed_offline_goes_in_as_any_other(gateway: Gateway) -> None:
    sales = [event() for _ in range(3)]
    stranger = SealedBox(PrivateKey.generate().public_key)
    boxes = [{"event_id": each["meta"]["event_id"], "sealed": _sealed(each)} for each in sales]
    boxes[1]["sealed"] = base64.b64encode(stranger.encrypt(b"{}")).decode()
    boxes[2]["event_id"] = uuid7()
    boxes += [{"event_id": "x", "sealed": "?"}, {}, 7, {"event_id": 1, "sealed": None}]  # type: ignore[list-item]
    body = json.dumps(boxes).encode()
    answer = gateway.post(body, token="till", Content_Type="application/vnd.hitotsu.sealed+json")
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [r["status"] for r in results] == ["accepted"] + ["rejected"] * 6
    assert results[1]["reason"] == "was not encrypted with this gateway's public key"


def _sealed(sent: dict[str, Any]) -> str:
    box = SealedBox(PRIVATE_KEY.public_key)
    return base64.b64encode(box.encrypt(json.dumps(sent).encode())).decode()


NIL = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("field", ["event_id", "correlation_id", "causation_id"])
def test_the_nil_uuid_names_nothing(gateway: Gateway, field: str) -> None:
    sale = event()
    sale["meta"][field] = NIL
    other = event(transaction_id=NIL)
    results = gateway.post([sale, other]).json()["results"]
    assert [result["status"] for result in results] == ["rejected", "rejected"]
    assert [result["field"] for result in results] == [f"meta.{field}", "transaction_id"]
    assert "nil" in results[0]["reason"]
