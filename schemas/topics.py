"""Which topics exist, which events they carry, and which field keys each record.

A topic is a folder below `schemas/contracts`: `topic.json` declares its name, partitions and key;
each .avsc file beside it is an event of the topic. An event may declare a `key` of its own.
Standard library only: the topics job imports this and nothing else of the contracts.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent / "contracts"
DEAD_LETTERS = "commerce.dead-letters"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic (infinite retention). `keys`: per event, the fields of which the first non-null is
    the key.
    """

    name: str
    events: tuple[str, ...]
    keys: dict[str, tuple[str, ...]]
    partitions: int


def read_json(path: Path) -> dict[str, Any]:
    """A file of the contracts; ValueError names the file when it is not a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: is not a JSON object")
    return content


def schemas_in(folder: Path) -> Iterator[dict[str, Any]]:
    """The events of a topic's folder, in the order of their files."""
    return (read_json(path) for path in sorted(folder.glob("*.avsc")))


def topics_in(home: Path) -> Iterator[Topic]:
    """The topics of a folder of contracts; folders without `topic.json` are skipped (the lint finds
    them).
    """
    for path in sorted(home.glob("*/topic.json")):
        said = read_json(path)
        if missing := {"name", "partitions"} - set(said):
            raise ValueError(f"{path}: lacks {', '.join(sorted(missing))}")
        keys = {
            schema["name"]: tuple(schema.get("key", said.get("key", ())))
            for schema in schemas_in(path.parent)
        }
        yield Topic(said["name"], tuple(keys), keys, said["partitions"])


TOPICS: dict[str, Topic] = {topic.name: topic for topic in topics_in(HOME)}
TOPIC_OF: dict[str, Topic] = {event: topic for topic in TOPICS.values() for event in topic.events}
_KEYS: dict[str, tuple[str, ...]] = {event: topic.keys[event] for event, topic in TOPIC_OF.items()}


def key_fields(event: str) -> tuple[str, ...]:
    """The fields of which the first non-null one is the event's record key."""
    return _KEYS[event]
