"""Every event has one topic and one key, and the AsyncAPI document says the same."""

from typing import Any

import yaml

from schemas.declarations import HOME
from schemas.generated.events import EVENTS
from schemas.generated.inputs import INPUTS, example, parse, to_event
from schemas.history.releases import releases
from schemas.topics import DEAD_LETTERS, TOGETHER, TOPIC_OF, TOPICS, key_fields
from schemas.wire.codec import key_of
from tests.schemas.sealers import OpenSealer


def test_every_event_has_one_topic() -> None:
    listed = [event for topic in TOPICS.values() for event in topic.events]
    assert sorted(listed) == sorted(EVENTS)
    for name, event in EVENTS.items():
        assert (name, TOPIC_OF[name].name) == (event.NAME, event.TOPIC)


def test_every_event_can_be_keyed_by_a_field_of_its_own() -> None:
    for name in INPUTS:
        event = to_event(parse(example(name)), OpenSealer())
        fields = set(type(event).__dataclass_fields__)
        named = {part for said in key_fields(name) for part in said.split(TOGETHER)}
        assert fields & named
        assert key_of(event)


def test_events_nobody_but_us_appends_are_not_taken_from_producers() -> None:
    assert set(EVENTS) - set(INPUTS) == set(TOPICS[DEAD_LETTERS].events)


def test_the_asyncapi_document_names_every_topic_and_message() -> None:
    document: dict[str, Any] = yaml.safe_load(
        (HOME / "generated" / "asyncapi.yaml").read_text("utf-8")
    )
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == set(TOPICS)
    messages = document["components"]["messages"]
    assert set(messages) == set(EVENTS)
    for name, message in messages.items():
        assert message["x-schema-id"] == releases().newest[name].id
        assert (HOME / "generated" / message["payload"]["schema"]["$ref"]).exists()
    assert _dangling(document, document) == []


def _dangling(node: Any, document: dict[str, Any]) -> list[str]:
    if isinstance(node, list):
        return [ref for item in node for ref in _dangling(item, document)]
    if not isinstance(node, dict):
        return []
    found = [ref for value in node.values() for ref in _dangling(value, document)]
    ref = node.get("$ref", "")
    return [*found, ref] if ref.startswith("#/") and not _reaches(ref, document) else found


def _reaches(ref: str, document: Any) -> bool:
    for step in ref.removeprefix("#/").split("/"):
        if step not in document:
            return False
        document = document[step]
    return True
