"""Declares the topics: their events, partitions, and the fields that are the record key.

A topic is a folder below `schemas/contracts`: `topic.json` declares its name, partitions and key;
the .avsc files beside it are the events of the topic. An event may declare a `key` of its own, and
the `former_keys` of its older records, which stay valid for ever. This module uses the standard
library only, because the job that creates topics imports nothing else of `schemas`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent / "contracts"
DEAD_LETTERS = "commerce.dead-letters"
TOGETHER = "/"
"""Between names of fields that are a record key together, as in location_id/terminal_id."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `keys`: by event, the fields of which the first non-null one is the record key.

    Several fields that are a key together are written as one, with `TOGETHER` between their names.
    `former_keys`: by event, the fields of keys that older records have, the newest first.
    """

    name: str
    events: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    partitions: int
    former_keys: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; raises ValueError, naming the file, if it is not a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: is not a JSON object")
    return content


def schemas_in(folder: Path) -> Iterator[dict[str, Any]]:
    """The parsed .avsc files in a folder, in the order of their names."""
    return (read_json(path) for path in sorted(folder.glob("*.avsc")))


def _events_in(home: Path) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """All `topic.json` files below `home`, with the schemas of their events.

    Folders without `topic.json` are skipped; the lint reports them.
    """
    for path in sorted(home.glob("*/topic.json")):
        said = read_json(path)
        if missing := {"name", "partitions"} - set(said):
            raise ValueError(f"{path}: lacks {', '.join(sorted(missing))}")
        yield said, list(schemas_in(path.parent))


def topics_in(home: Path) -> Iterator[Topic]:
    """The topics that are declared below `home`."""
    return map(_topic, _events_in(home))


def _topic(told: tuple[dict[str, Any], list[dict[str, Any]]]) -> Topic:
    said, schemas = told
    keys = {schema["name"]: tuple(schema.get("key", said.get("key", ()))) for schema in schemas}
    former = {
        schema["name"]: tuple(tuple(fields) for fields in source["former_keys"])
        for schema in schemas
        # an event with a key of its own was not keyed by the topic's either
        for source in [schema if "key" in schema else said]
        if source.get("former_keys")
    }
    return Topic(said["name"], tuple(keys), keys, said["partitions"], former)


_READ = list(_events_in(HOME))  # the files are read once
# the parsed .avsc file of every event, by name
EVENT_SCHEMAS: dict[str, dict[str, Any]] = {
    schema["name"]: schema for _, schemas in _READ for schema in schemas
}
TOPICS: dict[str, Topic] = {topic.name: topic for topic in map(_topic, _READ)}
TOPIC_OF: dict[str, Topic] = {event: topic for topic in TOPICS.values() for event in topic.events}
_KEYS: dict[str, tuple[str, ...]] = {event: topic.keys[event] for event, topic in TOPIC_OF.items()}
_FORMER_KEYS = {event: topic.former_keys.get(event, ()) for event, topic in TOPIC_OF.items()}


def key_fields(event: str) -> tuple[str, ...]:
    """The fields of which the first non-null one is the event's record key."""
    return _KEYS[event]


def former_key_fields(event: str) -> tuple[tuple[str, ...], ...]:
    """The key fields of older records of the event, as in `key_fields`; the newest first."""
    return _FORMER_KEYS[event]
