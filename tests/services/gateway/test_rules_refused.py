"""Are rules that nobody could read refused at the door, with the field named?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.services.gateway.running import Gateway, event

pytestmark = pytest.mark.servers

PROGRAM: dict[str, tuple[str, str]] = {
    "no JSON": ("no JSON", "rules"),
    "no object": ("[1]", "rules"),
    "a key twice": ('{"pending_days": 1, "pending_days": 2}', "rules"),
    "no number": ('{"pending_days": NaN}', "rules"),
    "an unknown field": ('{"earnings": []}', "rules.earnings"),
    "another type": ('{"pending_days": "3"}', "rules.pending_days"),
    "deep inside": ('{"earn": [{"points": 1, "per": 0}]}', "rules.earn.0.per"),
    "out of bounds": ('{"pending_days": 367}', "rules.pending_days"),
    "another kind": ('{"expiry": {"kind": "some day"}}', "rules.expiry"),
    "a rank of nobody": ('{"earn": [{"ranks": ["gold"], "points": 1, "per": 1}]}', "rules"),
    "a zone of nowhere": ('{"time_zone": "Asia/Atlantis"}', "rules.time_zone"),
}
IDENTITY: dict[str, tuple[str, str]] = {
    "no JSON": ("no JSON", "rules"),
    "an unknown field": ('{"identifiers": {}, "more": 1}', "rules.more"),
    "a version inside": ('{"version": "1", "identifiers": {}}', "rules.version"),
}
CASES = [
    *(pytest.param("ProgramRulesSet", *case, id=name) for name, case in PROGRAM.items()),
    *(pytest.param("MatchRulesActivated", *case, id=name) for name, case in IDENTITY.items()),
]


@pytest.mark.parametrize(("name", "text", "field"), CASES)
def test_rules_that_cannot_be_read_are_refused(
    gateway: Gateway, name: str, text: str, field: str
) -> None:
    good: Any = event(name)
    results = gateway.post([event(name, rules=text), good], token="operator").json()["results"]
    assert [result["status"] for result in results] == ["rejected", "accepted"]
    assert results[0]["field"] == field
    assert results[0]["reason"]
    assert json.loads(good["rules"])
