"""How do rows get from Postgres into Redis, and stay right whatever dies?

Rows are written after the commit that returned them, stamped with their row version: a late writer
never overwrites a newer stamp. What a commit made due is noted in `redis_pending` in the same
transaction and struck out once it is written; whatever is left there is repaired from Postgres.
Redis counts as believable only while it holds the generation that Postgres names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from redis import Redis

from projections.core.fold import Group
from projections.core.showing import ViewRow
from projections.core.tables import Kept
from services.runtime.metrics import REDIS_WRITES

ROWS_PER_CALL = 500
WRITE = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local stale = 0
for i = 2, #ARGV, 4 do
    local value = ARGV[i + 2] .. '|' .. ARGV[i + 3]
    if ARGV[i + 2] == '1' then  -- the first of its row: whatever is held is as new
        stale = stale + 1 - redis.call('HSETNX', ARGV[i], ARGV[i + 1], value)
    else
        local held = redis.call('HGET', ARGV[i], ARGV[i + 1])
        if held and tonumber(string.match(held, '^(%d+)|')) >= tonumber(ARGV[i + 2]) then
            stale = stale + 1
        else
            redis.call('HSET', ARGV[i], ARGV[i + 1], value)
        end
    end
end
return stale
"""
ADVANCE = """
for i = 1, #ARGV, 2 do
    local held = redis.call('HGET', KEYS[1], ARGV[i])
    if not held or tonumber(held) < tonumber(ARGV[i + 1]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    end
end
"""


class GenerationLost(Exception):
    """Redis does not hold the generation that Postgres names: it was emptied or replaced."""


def hash_key(table: Kept, version: int, by: str) -> str:
    """The Redis key of one hash."""
    return f"h1:{table.name}:{version}:{by}"


def generation_key(group: str) -> str:
    """Where Redis holds its generation."""
    return f"hitotsu:generation:{group}"


def position_key(group: str) -> str:
    """Where Redis holds up to which offsets its rows reach."""
    return f"hitotsu:position:{group}"


class Views:
    """Writes view rows of one group."""

    def __init__(self, redis: Redis, group: Group) -> None:
        self.redis = redis
        self.group = group
        self.versions = {p.name: p.version for p in group.projections}
        self._write = redis.register_script(WRITE)
        self._advance = redis.register_script(ADVANCE)

    def write(self, views: Mapping[Kept, Iterable[ViewRow]], generation: str) -> None:
        """Writes rows; `generation` "" writes whatever Redis holds (a refill)."""
        for chunk in _chunks(self._flat(views)):
            arguments: list[Any] = [generation]
            for key, (_, field, version, payload) in chunk:
                arguments += [key, field, version, payload]
            stale = int(self._write(keys=[generation_key(self.group.name)], args=arguments))
            if stale < 0:
                raise GenerationLost
            REDIS_WRITES.labels(self.group.name, "stale").inc(stale)
            REDIS_WRITES.labels(self.group.name, "written").inc(len(chunk) - stale)

    def advance(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Says up to which offsets the rows in Redis reach; never goes back."""
        arguments = [
            part
            for (topic, partition), end in positions.items()
            for part in (f"{topic}-{partition}", end)
        ]
        if arguments:
            self._advance(keys=[position_key(self.group.name)], args=arguments)

    def _flat(self, views: Mapping[Kept, Iterable[ViewRow]]) -> Iterator[tuple[str, ViewRow]]:
        for table, rows in views.items():
            prefix = hash_key(table, self.versions[table.projection], "")
            for row in rows:
                yield prefix + row[0], row


def _chunks(rows: Iterator[tuple[str, ViewRow]]) -> Iterator[list[tuple[str, ViewRow]]]:
    while chunk := list(islice(rows, ROWS_PER_CALL)):
        yield chunk
