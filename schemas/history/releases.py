"""Released schema versions and their ids: a version gets its id once, and ids never change."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.declarations import HOME, NAMESPACE, sources
from schemas.topics import TOPIC_OF

FIRST_ID = 1001
# Attributes that only the gateway uses (what it requires, fills in, moves, seals, and who may
# append), the record key and how a wrong clock moves times do not affect the Avro bytes.
_EDGE_ONLY = (
    "at_least", "unique", "unless_said", "moved_to", "sealed_under", "key", "former_keys",
    "document", "may_append", "time", "case", "kept_for",
)  # fmt: skip
_UNSAID = ("doc", "namespace")  # the lint allows only one namespace


@dataclass(frozen=True, slots=True)
class Release:
    """A released version of an event's schema. `file`: its path below `history`."""

    id: int
    subject: str
    record: str
    version: int
    fingerprint: str
    file: str


class Releases:
    """All schemas ever released; `newest`: the newest version by name of the event."""

    def __init__(self, home: Path = HOME) -> None:
        self._history = home / "history"
        path = self._history / "ids.json"
        listed = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.by_id = {int(key): Release(int(key), **rest) for key, rest in listed.items()}
        self.newest: dict[str, Release] = {}
        for release in self.by_id.values():
            known = self.newest.get(release.record)
            if known is None or release.version > known.version:
                self.newest[release.record] = release

    def __iter__(self) -> Iterator[Release]:
        return iter(sorted(self.by_id.values(), key=lambda release: release.id))

    def text(self, release: Release) -> str:
        """The text of the released .avsc file."""
        return (self._history / release.file).read_text(encoding="utf-8")

    def schema(self, release: Release) -> dict[str, Any]:
        """The released schema as parsed JSON."""
        schema: dict[str, Any] = json.loads(self.text(release))
        return schema

    def of(self, record: str) -> list[Release]:
        """All released versions of an event, oldest first."""
        versions = [release for release in self if release.record == record]
        return sorted(versions, key=lambda release: release.version)


@cache
def releases() -> Releases:
    """The releases in this repository, read once."""
    return Releases()


def self_contained(name: str, schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An event's schema with every named type inlined where it is first used."""
    seen: set[str] = set()

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(branch) for branch in node]
        if isinstance(node, dict):
            kept = {key: value for key, value in node.items() if key not in _EDGE_ONLY}
            for key in ("type", "items"):
                if key in kept:
                    kept[key] = resolve(kept[key])
            if "fields" in kept:
                kept["fields"] = [resolve(field) for field in kept["fields"]]
            return kept
        if node in schemas and node not in seen:
            seen.add(node)
            return resolve(schemas[node])
        return node

    seen.add(NAMESPACE + name)
    resolved: dict[str, Any] = resolve(schemas[NAMESPACE + name])
    return resolved


def fingerprint(schema: Any) -> str:
    """SHA-256 of the schema in canonical form, without documentation and namespaces.

    `schema`: from `self_contained`, which drops the attributes that only the gateway uses.
    """
    plain = json.dumps(_plain(schema), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if isinstance(node, dict):
        return {key: _plain(node[key]) for key in sorted(node) if key not in _UNSAID}
    return node.removeprefix(NAMESPACE) if isinstance(node, str) else node


def unreleased(home: Path = HOME) -> dict[str, dict[str, Any]]:
    """By name, the current schemas of events that differ from their newest release or have none."""
    schemas = sources(home)
    known = Releases(home).newest
    changed = {}
    for event in TOPIC_OF:
        schema = self_contained(event, schemas)
        if event not in known or known[event].fingerprint != fingerprint(schema):
            changed[event] = schema
    return changed


def tampered(home: Path = HOME) -> list[Release]:
    """Releases whose file is missing or has been changed since the release."""
    known, history = Releases(home), home / "history"
    return [
        release
        for release in known
        if not (history / release.file).exists()
        or fingerprint(known.schema(release)) != release.fingerprint
    ]


def release(home: Path = HOME) -> list[Release]:
    """Releases all changed events: writes a new version of each with a new id.

    Returns these. Files of earlier releases are not touched.
    """
    known, history = Releases(home), home / "history"
    next_id = max(known.by_id, default=FIRST_ID - 1) + 1
    made = []
    for event, schema in unreleased(home).items():
        version = known.newest[event].version + 1 if event in known.newest else 1
        file = f"released/{event}.v{version}.avsc"
        subject = f"{TOPIC_OF[event].name}-{NAMESPACE}{event}"
        new = Release(next_id, subject, event, version, fingerprint(schema), file)
        (history / "released").mkdir(parents=True, exist_ok=True)
        (history / file).write_text(_pretty(schema), encoding="utf-8")
        made.append(new)
        next_id += 1
    _write_ids([*known, *made], home)
    return made


def _write_ids(all_of_them: list[Release], home: Path) -> None:
    listed = {}
    for item in all_of_them:
        entry = asdict(item)
        listed[str(entry.pop("id"))] = entry
    (home / "history" / "ids.json").write_text(_pretty(listed), encoding="utf-8")


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
