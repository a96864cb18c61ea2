"""Checks, before a release, that all versions of an event's schema can read each other
(FULL_TRANSITIVE).
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import Schema, parse

from schemas.declarations import HOME
from schemas.history.releases import Releases, unreleased

_MEANING = ("is", "pii", "blind")


def clashes(versions: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Why pairs of versions are incompatible; empty if all are compatible. `versions`: (name,
    schema).
    """
    parsed: list[tuple[str, Schema]] = []
    for name, schema in versions:
        try:
            parsed.append((name, parse(json.dumps(schema))))
        except AvroException as error:
            return [f"{name} is not an Avro schema: {error}"]
    found = []
    for (reader, reads), (writer, wrote) in permutations(parsed, 2):
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
        result = checker.get_compatibility(reads, wrote)
        if result.compatibility is not SchemaCompatibilityType.compatible:
            where = ", ".join(sorted(result.locations))
            what = "; ".join(sorted(result.messages))
            found.append(f"{reader} cannot read what {writer} wrote, at {where}: {what}")
    return found + _changed_meanings(versions)


def check(home: Path = HOME) -> list[str]:
    """All incompatibilities among the released versions and the current .avsc of every event."""
    known, changed = Releases(home), unreleased(home)
    found = []
    for record in sorted({*known.newest, *changed}):
        versions = [(f"{record} v{r.version}", known.schema(r)) for r in known.of(record)]
        if record in changed:
            versions.append((f"the current {record}", changed[record]))
        found += clashes(versions)
    return found


def _changed_meanings(versions: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Fields whose unit or logical type differs, which Avro does not notice: yen and microseconds
    are both long.
    """
    found = []
    known: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, schema in versions:
        for path, meaning in _meanings(schema, ""):
            first = known.setdefault(path, (name, meaning))
            if first[1] != meaning:
                found.append(f"{path} means {meaning} in {name}, but {first[1]} in {first[0]}")
    return found


def _meanings(node: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        return [pair for branch in node for pair in _meanings(branch, path)]
    if not isinstance(node, dict):
        return []
    found = []
    for field in node.get("fields", []):
        where = f"{path}/{field['name']}"
        found.append((where, {key: field[key] for key in _MEANING if key in field}))
        found += _meanings(field["type"], where)
    return found + _meanings(node.get("items"), path)
