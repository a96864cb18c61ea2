"""The contracts at hand: `hitotsu schema`, `tail` and `example`."""

import asyncio
import json
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
import typer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from typer.testing import CliRunner

from infra import topics
from infra.backend import Endpoints
from schemas.generated.inputs import example, parse, to_event
from schemas.wire import codec
from services.cli import schema
from tests.schemas.sealers import OpenSealer

APP = typer.Typer()
schema.register(APP)
NOWHERE = "http://127.0.0.1:1/apis/ccompat/v7"


def _run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(APP, list(arguments))
    assert done.exit_code == code, done.output
    return done.output


def test_check_says_that_all_is_well() -> None:
    assert "released schemas: no problem found" in _run("schema", "check")


def test_release_without_a_change_releases_nothing() -> None:
    assert _run("schema", "release").strip() == "nothing has changed"


def test_an_example_is_taken_as_it_is_printed() -> None:
    assert parse(json.loads(_run("example", "ProfileRegistered"))).type == "ProfileRegistered"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("example", "Purchase"), "Purchase is not one of the events that producers send:"),
        (("example", "DeadLettered"), "DeadLettered is not one of the events that producers send"),
        (("tail", "purchases"), "purchases is not one of the topics:"),
        (("tail", "commerce.points", "--kafka", "127.0.0.1:1"), "Kafka at 127.0.0.1:1 cannot be"),
        (("schema", "diff", "--registry", NOWHERE), "http://127.0.0.1:1 does not answer"),
        (("schema", "apply", "--registry", NOWHERE), "http://127.0.0.1:1 does not answer"),
        (("schema", "diff", "--home", "/nowhere/at/all"), "no registry is known"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(arguments: tuple[str, ...], complaint: str) -> None:
    assert complaint in _run(*arguments, code=1)


def test_the_generator_checks_from_the_command_line() -> None:
    command = [sys.executable, "-m", "schemas.tools.generate", "--check"]
    assert subprocess.run(command, check=False, timeout=60).returncode == 0


@pytest.mark.servers
def test_the_registry_gets_our_schemas_once(registry: str) -> None:
    at = ("--registry", registry)
    assert "the registry holds every released schema" in _run("schema", "apply", *at)
    assert _run("schema", "apply", *at).startswith("0 applied")
    assert "under its id" in _run("schema", "diff", *at)


@pytest.mark.servers
def test_tail_shows_events_and_keeps_sealed_what_is_sealed(servers: Endpoints) -> None:
    topics.create(servers.kafka)
    event = to_event(parse({**example("ContactMade"), "campaign_id": uuid4().hex}), OpenSealer())
    many = asyncio.run(_append(servers.kafka, event.TOPIC, codec.encode(event), b"\0garbage!"))
    arguments = ("tail", "commerce.contacts", "--from", "beginning", "--kafka", servers.kafka)
    arguments = (*arguments, "--limit", str(many))
    rows = [json.loads(line) for line in _run(*arguments, "--json").splitlines()]
    # Other tests write to the topic too: contacts without a campaign, and what cannot be decoded.
    (told,) = [row["event"] for row in rows if _campaign(row) == event.campaign_id]
    assert told["note"] == "<sealed>"
    assert told["meta"]["event_id"] == example("ContactMade")["meta"]["event_id"]
    assert any("no schema with the id" in row.get("undecodable", "") for row in rows)
    assert "ContactMade" in _run(*arguments)


def _campaign(row: dict[str, Any]) -> str | None:
    return row["event"].get("campaign_id") if "event" in row else None


async def _append(kafka: str, topic: str, *values: bytes) -> int:
    """Appends; answers how many records the topic holds."""
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value)
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka) as consumer:
        return sum((await consumer.end_offsets(list(consumer.assignment()))).values())
