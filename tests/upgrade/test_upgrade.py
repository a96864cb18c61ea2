"""Does a stack of an older release come up under the code of now, with nothing lost?

The archive has holds, a capture and a commit whose facts wait in the outbox, a case that staff
decided, a token, an erased person, documents that do not fit, and a till's buffer of which the
gateway took more than the till knows. `make_archive.py` made it with the older release's own code.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from confluent_kafka import Producer

from projections import discover
from schemas.generated.events import PurchaseCompleted
from schemas.wire import codec
from services.sdk import Buffer, Client
from services.state.migrate import migrations
from services.verify.log import Log
from tests.upgrade.older_stack import OlderStack, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]


class Reader(threading.Thread):
    """Asks while the stack comes up for what is built anew and for what is not; keeps answers."""

    def __init__(self, older: OlderStack) -> None:
        super().__init__(daemon=True)
        self.older = older
        self.ending = threading.Event()
        self.rounds: list[dict[str, httpx.Response]] = []

    def run(self) -> None:
        while not self.ending.wait(0.05):
            try:
                self.rounds.append(self._ask())
            except (KeyError, httpx.TransportError, OSError, ValueError):
                continue  # it is not up yet

    def _ask(self) -> dict[str, httpx.Response]:
        made = self.older.manifest
        hold = {**made["before"]["points hold"]["body"], "points": 1, "dry_run": True}
        return {
            "member": self.older.get("api", f"/v1/members/{made['member']}"),
            "event": self.older.get(
                "api", f"/v1/events/{made['misfits']['over-return']['event_id']}"
            ),
            "command": httpx.post(
                self.older.url("commands") + "/v1/points/holds",
                json=hold,
                headers=self.older.bearer("till"),
                trust_env=False,
            ),
        }


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OlderStack]:
    """The stack after `hitotsu up`, its till's buffer sent and everything applied."""
    made = OlderStack(tmp_path_factory.mktemp("older"))
    try:
        made.move_to_now()
        yield made
    finally:
        made.stack.stop(purge=True)


def test_a_stack_of_an_older_release_comes_up_without_loss(older: OlderStack) -> None:
    made = older.manifest
    reader = Reader(older)
    reader.start()
    said = older.hitotsu("up", "--no-registry", "--provider", "native")
    assert said.count("applied migration") == len(migrations())
    assert "projection member is being built" in said
    assert "`hitotsu upgrade report` lists what changed" in said
    until(lambda: older.sql("select from hitotsu.projection_building") == [])
    until(lambda: older.sql("select from hitotsu.outbox where sent_at is null") == [])
    reader.ending.set()
    _what_changed_is_listed(older)
    _the_tables_of_before_are_gone(older)
    reader.join(10)
    _building_is_said_and_the_rest_is_served(reader.rounds, made)
    _tables_are_those_of_now(older)
    _answers_are_the_same(older)
    _the_token_and_the_buffer_are_taken(older)
    _nothing_is_lost(older)
    _holds_and_captures_count(older)
    _people_decisions_and_keys_are_there(older)
    _an_export_of_the_old_sales_changes_nothing(older)
    older.hitotsu("rebuild", "point_balance")  # as the report says of times that were kept
    older.hitotsu("verify")
    traces = [name for name, text in older.logs().items() if "Traceback" in text]
    assert traces == []
    again = older.hitotsu("up", "--no-registry", "--provider", "native")
    assert "migration" not in again and "being built" not in again


def _building_is_said_and_the_rest_is_served(
    rounds: list[dict[str, httpx.Response]], made: dict[str, Any]
) -> None:
    """While projections are built an answer is `building`; it is never half of the truth."""
    for answer in (asked["member"] for asked in rounds):
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            data = answer.json()["data"]
            assert data["profile_ids"] == [made["member"]]
            assert data["balance"]["balance"] in (950, 800)  # before and after the capture's fact
            assert data["balance"]["available"] in (650, 700)
    seen = {
        tuple(_said(asked[name]) for name in ("member", "command", "event")) for asked in rounds
    }
    assert ("building", "building", "200") in seen, seen
    assert ("200", "200", "200") in seen, seen


def _said(answer: httpx.Response) -> str:
    """The status, or the problem's name."""
    if answer.status_code == 200:
        return "200"
    return str(answer.json()["type"]).rpartition("/")[2]


def _tables_are_those_of_now(older: OlderStack) -> None:
    names = older.sql("select name from hitotsu.migration order by number")
    assert [name for (name,) in names] == [file.name for file in migrations()]
    stored = dict(older.sql("select projection, version from hitotsu.projection_version"))
    declared = {each.name: each.version for each in discover() if each.name in stored}
    assert stored == declared


def _what_changed_is_listed(older: OlderStack) -> None:
    """Before and after of each answer that changed, why, and nothing else."""
    made = older.manifest["misfits"]
    report = json.loads(older.hitotsu("upgrade", "report", "--json"))
    assert {"purchases", "shared_stock"} <= {*report["projections"]}
    stock = {one["key"]["sku"]: one for one in report["changes"] if one["answer"] == "stock"}
    wrong = {"doubled sale": "told_twice", "over-return": "over_return"}
    after_the_end = {"release after the end": "released_after_end"}
    assert stock.keys() == {made[name]["sku"] for name in wrong | after_the_end}
    for name, reason in (wrong | after_the_end).items():
        assert _because(stock[made[name]["sku"]]) == {made[name]["event_id"]: reason}
    moved = {sku: (_four(one["before"]), _four(one["after"])) for sku, one in stock.items()}
    # on hand, committed, unavailable, incoming
    assert moved == {
        "cup": ((28, 0, 0, 0), (29, 0, 0, 0)),
        "plate": ((31, 0, 0, 0), (31, 0, 1, 0)),
        "lamp": ((28, -2, 0, 0), (28, 0, 0, 0)),
    }
    lists = {
        one["key"]["transaction_id"]: one
        for one in report["changes"]
        if one["answer"] == "purchases"
    }
    wrong |= {"return without the card": "return_found_sale"}
    assert lists.keys() == {made[name]["transaction_id"] for name in wrong}
    for name, reason in wrong.items():
        one = lists[made[name]["transaction_id"]]
        assert one["key"]["profile_id"] == older.manifest["member"]
        assert _because(one) == {made[name]["event_id"]: reason}
    shown = {
        name: [[_returned(one[side]) for side in ("before", "after")]]
        for name in wrong
        for one in [lists[made[name]["transaction_id"]]]
    }
    assert shown == {
        "doubled sale": [[[0, 0], [0]]],
        "over-return": [[[3], [2]]],
        "return without the card": [[[0], [1]]],
    }
    _balances_are_as_before(older, report)


def _balances_are_as_before(older: OlderStack, report: dict[str, Any]) -> None:
    """Balances are compared with what the log gives, and none differs; old times are named."""
    balances = report["answers"]["balances"]
    profiles = "select count(distinct profile_id)::int from main.point_entry"
    assert balances["compared"] == older.sql(profiles)[0][0] == 2
    # for an hour after the archive was made the points of the till that was ahead are pending
    assert (balances["changed"], balances["replaced"]) == (balances["only_times"], False)
    touched = {one["key"]["profile_id"] for one in report["changes"] if one["answer"] == "balances"}
    assert touched <= {older.manifest["ahead"]}
    assert report["contradicts_the_log"] is False and report["incomplete"] is False
    before = older.manifest["shown"]["points"]["data"]
    assert (before["balance"], before["held"]) == (950, 300)
    assert report["old_times"] == {"point_balance": 1}
    said = older.hitotsu("upgrade", "report")
    assert "balances: all" in said and "are as before" in said
    assert "told_twice: PurchaseCompleted" in said
    assert "point_balance: rows of 1 events keep the times" in said
    assert "`hitotsu rebuild point_balance`" in said


def _because(change: dict[str, Any]) -> dict[str, str]:
    assert change["documents_total"] == len(change["documents"])
    return {one["event_id"]: one["reason"] for one in change["documents"]}


def _four(cell: dict[str, int]) -> tuple[int, ...]:
    return tuple(cell[name] for name in ("on_hand", "committed", "unavailable", "incoming"))


def _returned(shown: list[dict[str, Any]]) -> list[int]:
    return [line["returned"] for sale in shown for line in sale["lines"]]


def _the_tables_of_before_are_gone(older: OlderStack) -> None:
    there = "select to_regclass('main.purchase'), to_regclass('main.purchase_return')"
    assert older.sql(there) == [(None, None)]


def _answers_are_the_same(older: OlderStack) -> None:
    """An old idempotency key gets its old answer, a refusal too."""
    made = older.manifest
    for asked in (*made["before"].values(), *made["in_outbox"].values(), made["decided"]):
        answer = older.repeat(asked)
        assert (answer.status_code, answer.json()) == (asked["status"], asked["answer"])


def _the_token_and_the_buffer_are_taken(older: OlderStack) -> None:
    token = older.manifest["tokens"]["till-7"]
    with Client(older.url("gateway"), token) as till:
        kept = Buffer(older.buffer, till.sealing_key())
    with Client(older.url("gateway"), token, kept) as till:
        assert len(kept) == 6
        assert till.flush() == 0
    assert kept.refused() == []
    kept.close()


def _nothing_is_lost(older: OlderStack) -> None:
    """Each fact of before, of the outbox and of the buffer is applied once."""
    made = older.manifest
    facts = {
        *made["facts"],
        *made["decided"]["answer"]["event_ids"],
        made["before"]["redemption"]["answer"]["event_id"],
        made["in_outbox"]["capture"]["answer"]["event_id"],
        *made["in_outbox"]["commit"]["answer"]["event_ids"],
    }
    applied = "select event_id::text from main.ledger where event_id = any(%s::uuid[])"
    until(lambda: len(older.sql(applied, list(facts))) >= len(facts))
    assert sorted(event for (event,) in older.sql(applied, list(facts))) == sorted(facts)
    assert older.sql("select from hitotsu.dead_letter") == []
    data = older.data("api", f"/v1/members/{made['member']}", min_position=_last(made))["data"]
    sold = [line["sku"] for sale in data["purchases"] for line in sale["lines"]]
    misfits = ["bowl", "cup", "plate", "spoon"]
    assert sorted(sold) == [made["sku"]["coffee"]] * 3 + [made["sku"]["tea"]] * 10 + misfits


def _last(made: dict[str, Any]) -> str:
    return f"event:{made['buffer']['sales'][-1]}"


def _holds_and_captures_count(older: OlderStack) -> None:
    """The open holds still hold; what was in the outbox has taken its points and its units."""
    made = older.manifest
    points = made["in_outbox"]["capture"]["answer"]["event_id"]
    data = older.data("api", f"/v1/members/{made['member']}/points", min_position=f"event:{points}")
    balance = {name: data["data"][name] for name in ("balance", "held", "available", "redeemed")}
    assert balance == {"balance": 800, "held": 100, "available": 700, "redeemed": 200}
    (committed,) = made["in_outbox"]["commit"]["answer"]["event_ids"]
    cells = {name: _cell(older, sku, committed) for name, sku in made["sku"].items()}
    # on hand, committed, reserved
    assert cells == {"coffee": (37, 0, 3), "tea": (10, 2, 0)}
    hold = made["before"]["stock hold"]["answer"]["reservation_id"]
    assert older.data("commands", f"/v1/stock/reservations/{hold}")["state"] == "open"
    release = {**made["before"]["stock hold"], "key": "released-after-the-upgrade", "body": {}}
    answer = older.repeat({**release, "path": f"/v1/stock/reservations/{hold}/release"})
    assert answer.status_code == 200, answer.text


def _cell(older: OlderStack, sku: str, event: str) -> tuple[int, int, int]:
    data = older.data("api", f"/v1/stock/{sku}", min_position=f"event:{event}")["data"]
    (cell,) = data["locations"]
    assert data["reserved_known"] is True
    return cell["on_hand"], cell["committed"], cell["reserved"]


def _people_decisions_and_keys_are_there(older: OlderStack) -> None:
    made = older.manifest
    (profile,) = older.data("api", f"/v1/members/{made['member']}")["data"]["profiles"]
    assert (profile["name"], profile["identifiers"][0]["value"]) == ("田中 花子", "2900 0000 0001")
    one, other = made["decided"]["pair"]
    (closed,) = older.data("identity", "/v1/identity/cases", profile_id=one, state="closed")[
        "cases"
    ]
    assert closed["profile_ids"] == [one, other]
    assert (closed["outcome"], closed["actor"], closed["reason"]) == (
        "declined", "desk-3", "called back"
    )  # fmt: skip
    waiting = older.data("identity", "/v1/identity/cases", profile_id=made["open_case_of"])
    assert [case["state"] for case in waiting["cases"]] == ["open"]
    destroyed = "select wrapped from hitotsu.subject_key where subject = uuid_send(%s::uuid)"
    assert older.sql(destroyed, made["erased"]) == [(None,)]
    roles = dict(older.sql("select name, role from hitotsu.api_token where name like 'till%%'"))
    assert roles == {"till": "till", "till-7": "till"}


def _an_export_of_the_old_sales_changes_nothing(older: OlderStack) -> None:
    """Every sale is sent again under an event id of its own, by its first record's content."""
    old = older.old_sales
    assert len(old) > 6, "the buffer's sales alone were sold"
    counted = (
        "select sum(applied)::int, sum(duplicate)::int, sum(conflict)::int from hitotsu.checkpoint"
    )
    stock = "select sku, location_id, on_hand, committed from main.stock_cell order by 1, 2"
    cells = older.sql(stock)
    ((applied, duplicate, conflict),) = older.sql(counted)
    again = _sent_again(older, old)
    until(lambda: older.sql(counted) == [(applied, duplicate + len(old), conflict)])
    assert older.sql(stock) == cells
    first_told = "select document, event_id::text from main.ledger where document = any(%s::uuid[])"
    firsts = dict(older.sql(first_told, list(old.values())))
    for event_id, sent in again.items():
        data = older.data("api", f"/v1/events/{event_id}")["data"]
        assert (data["status"], data["duplicate_of"]) == ("applied", firsts[old[sent]])


def _sent_again(older: OlderStack, old: dict[str, UUID]) -> dict[str, str]:
    """The first event of each sale, by the id under which it was sent again."""
    kafka, again = older.stack.endpoints().kafka, dict[str, str]()
    ends = dict(older.sql(
        "select partition, next_offset from hitotsu.checkpoint where topic = %s",
        PurchaseCompleted.TOPIC,
    ))  # fmt: skip
    places = {(PurchaseCompleted.TOPIC, partition): end for partition, end in ends.items()}
    log, producer = Log(kafka, dict.fromkeys(places, 0)), Producer({"bootstrap.servers": kafka})
    try:
        while fetched := log.read(places):
            for record in (record for records in fetched.values() for record in records):
                event: Any = codec.decode(record.value)
                first = str(UUID(bytes=event.meta.event_id))
                if first in old and first not in again.values():
                    meta = replace(event.meta, event_id=uuid4().bytes)
                    again[str(UUID(bytes=meta.event_id))] = first
                    value = codec.encode(replace(event, meta=meta))
                    producer.produce(PurchaseCompleted.TOPIC, value, codec.key_of(event))
    finally:
        log.close()
    assert producer.flush(30) == 0
    assert set(again.values()) == old.keys()
    return again
