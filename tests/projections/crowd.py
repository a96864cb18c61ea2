"""Many members that exist already, two of each telephone number, and rules that change them all."""

from __future__ import annotations

import json
from typing import Any

from projections.member.rules import DEFAULT
from schemas.generated.events import MatchRulesActivated
from tests.projections.driving import Engine
from tests.projections.saying import T0, meta

USUAL = json.loads(DEFAULT.text())["identifiers"]
CROWD = (
    "insert into profile (profile_id, registered_at, row_version)"
    " select md5('crowd' || n)::uuid, n, 1 from generate_series(1, %(many)s) n",
    "insert into identifier (profile_id, kind, value_index, verified, first_seen, row_version)"
    " select md5('crowd' || n)::uuid, 'phone', md5('phone' || n / 2)::uuid, true, n, 1"
    " from generate_series(1, %(many)s) n",
    "insert into member_group (profile_id, member_id, profiles, open_case, row_version)"
    " select id, id, array[id], false, 1"
    " from generate_series(1, %(many)s) n, lateral (select md5('crowd' || n)::uuid as id) its",
)


def crowd(engine: Engine, many: int) -> None:
    """So many profiles, each a member alone."""
    for statement in CROWD:
        engine.connection.execute(statement.encode(), {"many": many})


def activated(version: str, at: int = 0, **kinds: Any) -> MatchRulesActivated:
    """The usual rules, but for these kinds of identifiers."""
    said = {kind: {**USUAL.get(kind, {}), **changed} for kind, changed in kinds.items()}
    text = json.dumps({"identifiers": {**USUAL, **said}})
    return MatchRulesActivated(
        meta=meta(), rule_set="identity", version=version, rules=text, valid_from=T0 + at
    )
