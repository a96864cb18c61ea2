"""The demo's whole log under other rules: what is printed is what two full rebuilds differ by."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from projections.member.rules import read_rules
from services.demo.data import tpcds
from services.demo.shop.rows import Rows
from services.demo.shop.streams import everything
from tests.services.identity.test_replay import groups, told_groups
from tests.services.identity.town import Town, town

pytestmark = [pytest.mark.servers, pytest.mark.long, pytest.mark.timeout(900)]


def told(folder: Path) -> list[dict[str, Any]]:
    """Everything that the demo sends."""
    rows = Rows(tpcds(0.01, folder))
    try:
        moments = chain.from_iterable(stream.moments for stream in everything(rows))
        return [event for moment in moments for event in moment.events]
    finally:
        rows.close()


def filled(place: Town, events: list[dict[str, Any]]) -> Town:
    """The town, once it has been told everything and has worked it off."""
    place.tells(events)
    place.settled(120)
    place.until(lambda: place.road.applied() >= len(events))
    return place


def test_the_demo_s_log_under_rules_that_it_taught(tmp_path: Path) -> None:
    events, file = told(tmp_path), tmp_path / "rules.json"
    with town(tmp_path / "old") as old:
        filled(old, events)
        words = ("identity", "estimate", "--out", str(file), "--version", "taught")
        old.road.begin(*words).communicate(timeout=120)
        found = old.road.verb("identity", "replay", "--rules", str(file))
        before = groups(old)
    taught = read_rules("taught", _without_version(file))
    with town(tmp_path / "new", made=taught) as new:
        after = groups(filled(new, events))
    assert len(events) > 35_000
    assert len(found["joins"]) + len(found["splits"]) > 20
    _same(found, before, after)


def _without_version(file: Path) -> str:
    text = json.loads(file.read_text("utf-8"))
    text.pop("version")
    return json.dumps(text)


def _same(found: Any, before: Any, after: Any) -> None:
    assert told_groups(found, before) == after
    assert {tuple(sorted(one["profile_ids"])) for one in found["joins"]} == {
        tuple(sorted(part)) for part in set(after.values()) if len({before[p] for p in part}) > 1
    }
    assert {tuple(sorted(one["profile_ids"])) for one in found["splits"]} == {
        tuple(sorted(part)) for part in set(before.values()) if len({after[p] for p in part}) > 1
    }
    moved = {profile for move in found["moves"] for profile in move["profile_ids"]}
    assert moved == {profile for profile in before if before[profile] != after[profile]}
