"""What does `hitotsu verify` say after a run? Nothing; of what is changed by hand, everything."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from redis import Redis

from tests.faults.stage import Stage
from tests.faults.verdict import Line
from tests.forks import run

PATIENCE_SECONDS = 600
RAISED = (
    "update main.point_entry set points = points + 1 where number = 0 and event_id ="
    " (select min(event_id::text)::uuid from main.point_entry) returning event_id::text"
)


def verified(stage: Stage) -> list[Line]:
    """Two runs of the verb: as it is; then with a row in Postgres and a field in Redis changed."""
    clean = _verify(stage)
    first = str(clean["differences"][:1]) if clean["total"] else ""
    lines = [Line("hitotsu verify", sum(clean["rows"].values()), clean["total"], first)]
    changed = _changed(stage)
    said = _verify(stage)
    named = {(one["where"], *one["key"][:1]) for one in said["differences"] if one["events"]}
    wrong = len(changed - named) + max(0, said["total"] - len(changed))
    lines.append(Line("verify names the changed, and events", len(changed), wrong, str(named)))
    return lines


def _changed(stage: Stage) -> set[tuple[str, str]]:
    """Where something is wrong now: place and first key."""
    with (
        psycopg.connect(stage.endpoints.postgres, autocommit=True) as connection,
        Redis.from_url(stage.endpoints.redis, decode_responses=True) as redis,
    ):
        row = connection.execute(RAISED).fetchone()
        assert row is not None, "nobody has points"
        key = min(redis.scan_iter("h1:stock_cell:*"))
        field, held = min(redis.hgetall(key).items())  # type: ignore[union-attr]
        redis.hset(key, field, held[:-1] + "1]")
    return {("postgres", row[0]), ("redis", str(key).rpartition(":")[2])}


def _verify(stage: Stage) -> dict[str, Any]:
    ran = run("services.cli", "verify", "--json", env=stage.env, timeout=PATIENCE_SECONDS)
    if ran.returncode not in (0, 1) or not ran.stdout:
        raise RuntimeError(ran.stderr[-2_000:])
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
