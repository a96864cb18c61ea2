"""Nobody's data lies around in clear, and who asks to be forgotten is forgotten everywhere."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from infra.stack import Stack
from tests.e2e.people import Person, people
from tests.e2e.scanner import scan
from tests.forks import run

pytestmark = pytest.mark.servers
ERASED, KEPT = 50, 10


@pytest.fixture(scope="module")
def status(stack: Stack) -> dict[str, Any]:
    return stack.status()


@pytest.fixture(scope="module")
def customers(status: dict[str, Any]) -> list[Person]:
    """Sixty customers whose facts are in every answer; one fact of each came twice, differently."""
    made = people(ERASED + KEPT)
    events = [event for person in made for event in person.events()]
    send(status, events)
    wait_until_applied(status, [event["meta"]["event_id"] for event in events])
    other = copy.deepcopy([event for event in events if event["type"] == "ProfileRegistered"])
    for event in other:
        event["name"] += " x"
    send(status, other)
    wait_for(lambda: dead_letters(status, made) == (len(other), len(other)))
    return made


@pytest.fixture
def rows(status: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    url = status["servers"]["postgres"]["url"]
    with psycopg.connect(url, options="-c search_path=main,hitotsu", autocommit=True) as connection:
        yield connection


def send(status: dict[str, Any], events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    results = []
    for start in range(0, len(events), 200):
        answer = httpx.post(
            status["services"]["gateway"]["url"] + "/v1/events",
            headers={"Authorization": f"Bearer {status['tokens']['bulk']}"},
            json=events[start : start + 200],
            timeout=30,
        )
        results += answer.json()["results"]
    return results


def wait_for(condition: Any, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)


def wait_until_applied(status: dict[str, Any], ids: list[str]) -> None:
    with psycopg.connect(status["servers"]["postgres"]["url"], autocommit=True) as connection:
        query = "SELECT count(*) FROM main.ledger WHERE event_id = ANY(%s::uuid[])"
        wait_for(lambda: connection.execute(query, [ids]).fetchall() == [(len(ids),)])


def dead_letters(status: dict[str, Any], persons: list[Person]) -> tuple[int, int]:
    """How many there are under the persons' keys, and how many of these still hold a record."""
    keys = [profile.bytes for person in persons for profile in person.profiles]
    with psycopg.connect(status["servers"]["postgres"]["url"]) as connection:
        return connection.execute(
            "SELECT count(*), count(record_value) FROM hitotsu.dead_letter"
            " WHERE record_key = ANY(%s)",
            [keys],
        ).fetchall()[0]


def resolve(status: dict[str, Any], person: Person) -> list[dict[str, Any]]:
    answer = httpx.post(
        status["services"]["api"]["url"] + "/v1/members/resolve",
        headers={"Authorization": f"Bearer {status['tokens']['staff']}", "Purpose": "support"},
        json={"identifiers": [{"kind": "phone", "value": person.phone}]},
    )
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


def member(status: dict[str, Any], profile: UUID) -> httpx.Response:
    return httpx.get(
        status["services"]["api"]["url"] + f"/v1/members/{profile}",
        headers={"Authorization": f"Bearer {status['tokens']['staff']}", "Purpose": "support"},
    )


def erase(status: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "HITOTSU_HOME": status["home"]}
    return run("services.cli", "erase", "--yes", *arguments, env=env)


def totals(rows: psycopg.Connection[Any]) -> tuple[Any, ...]:
    return (
        rows.execute("SELECT count(*) FROM ledger").fetchall(),
        rows.execute(
            "SELECT sum(applied) FROM checkpoint WHERE topic <> 'commerce.members'"
        ).fetchall(),
    )


def test_no_disk_log_or_server_shows_a_customer(
    status: dict[str, Any], customers: list[Person]
) -> None:
    assert scan(status, {form for person in customers for form in person.spellings()}) == []


def test_bad_ids_are_named_by_number_and_never_repeated(status: dict[str, Any]) -> None:
    refused = erase(status, "taro.yamada@example.co.jp")
    assert refused.returncode == 2
    assert "number 1 is not a member or profile id" in " ".join(refused.stderr.split())
    assert "taro" not in refused.stderr
    unknown = erase(status, "00000000-0000-4000-8000-000000000001")
    assert unknown.returncode == 1
    assert "Nothing was erased" in unknown.stderr
    private = erase(status, str(UUID(int=1)), "--reason", "call 090-1234-5678")
    assert private.returncode == 2
    assert "1234" not in private.stderr


def test_fifty_erased_customers_are_in_no_answer_and_the_totals_stay(
    status: dict[str, Any],
    customers: list[Person],
    rows: psycopg.Connection[Any],
    tmp_path: Any,
) -> None:
    gone, kept = customers[:ERASED], customers[ERASED:]
    assert all(len(resolve(status, person)[0]["profile_ids"]) == 2 for person in gone)
    before = totals(rows)
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{person.card_profile}  # a request\n" for person in gone))

    dry = json.loads(erase(status, "--file", str(ids), "--dry-run", "--json").stdout)
    assert dry["dry_run"]
    assert {line["profile_id"] for line in dry["erased"]} == {
        str(p) for c in gone for p in c.profiles
    }
    assert not any(line["destroyed_at"] for line in dry["erased"])
    assert all(member(status, person.card_profile).text.count(person.family) for person in gone[:3])

    done = erase(status, "--file", str(ids), "--reason", "request 2026-114", "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)["erased"]
    assert len(receipt) == 2 * ERASED
    assert all(line["finished_at"] and line["destroyed_at"] for line in receipt)
    assert all(line["topic"] == "commerce.members" and line["offset"] >= 0 for line in receipt)
    assert dead_letters(status, gone) == (2 * ERASED, 0)
    assert dead_letters(status, kept) == (2 * KEPT, 2 * KEPT)

    assert [resolve(status, person) for person in gone] == [[]] * ERASED
    for person in gone:
        for profile in person.profiles:
            text = member(status, profile).text
            assert not any(form in text for form in person.spellings())
    assert all(person.name in member(status, person.card_profile).text for person in kept)
    after = totals(rows)
    assert after[0][0][0] == before[0][0][0] + 2 * ERASED
    assert after[1] == before[1]
    keys = [profile.bytes for person in gone for profile in person.profiles]
    query = "SELECT count(*), count(wrapped) FROM subject_key WHERE subject = ANY(%s)"
    assert rows.execute(query, [keys]).fetchall() == [(2 * ERASED, 0)]

    again = json.loads(erase(status, "--file", str(ids), "--reason", "another", "--json").stdout)
    assert again["erased"] == receipt

    results = send(status, gone[0].events()[:1])
    assert [result["status"] for result in results] in (["rejected"], ["accepted"])
    assert scan(status, {form for person in customers for form in person.spellings()}) == []


def test_an_erasure_that_was_cut_off_is_finished_by_the_next_one(
    status: dict[str, Any], rows: psycopg.Connection[Any]
) -> None:
    (person,) = people(1)
    events = person.events()
    send(status, events)
    wait_until_applied(status, [event["meta"]["event_id"] for event in events])
    cut = erase(status, str(person.account_profile), "--wait", "0", "--json")
    assert cut.returncode in (0, 3), cut.stderr
    # As if it had died before it could write down where the fact is: it is appended once more.
    query = 'UPDATE erasure SET "offset" = NULL, finished_at = NULL WHERE profile_id = ANY(%s)'
    rows.execute(query, [list(person.profiles)])
    done = erase(status, str(person.account_profile), "--json")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(done.stdout)["erased"]
    assert {line["profile_id"] for line in receipt} == set(map(str, person.profiles))
    facts = [line["event_id"] for line in receipt]
    query = "SELECT count(*) FROM dead_letter WHERE event_id = ANY(%s::uuid[])"
    assert rows.execute(query, [facts]).fetchall() == [(0,)]
