"""Writes rows to Redis so that it stays correct even if processes or servers die.

Rows are written after the commit, with their row version; a newer version in Redis is never
overwritten. The committed transaction records the pending writes in `redis_pending`, where they are
deleted after the write; the rest is repaired from Postgres. Readers use Redis only while it has the
generation that Postgres names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import NoPermissionError, ResponseError

from projections.core import redis_rows
from projections.core.fold import Group
from projections.core.redis_rows import Chunks, ViewRow, hash_key
from projections.core.tables import StoredTable
from services.runtime.metrics import REDIS_WRITES

WRITE = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local stale, call, texts = 0, redis.call, cmsgpack.unpack(ARGV[2])
"""
# most rows are new, so a cheaper script writes these: it needs no read and no comparison
FIRST = f"""{WRITE}
for i = 1, #texts, 3 do  -- a field that exists is as new or newer
    stale = stale + 1 - call('HSETNX', texts[i], texts[i + 1], texts[i + 2])
end
return stale
"""
NEWER = f"""{WRITE}
local function version(text) return tonumber(string.match(text, '^(%d+)|')) end
for i = 1, #texts, 3 do
    local held = call('HGET', texts[i], texts[i + 1])
    if held and version(held) >= version(texts[i + 2]) then
        stale = stale + 1
    else
        call('HSET', texts[i], texts[i + 1], texts[i + 2])
    end
end
return stale
"""
# arguments, repeated: partition, first offset of the batch, offset after the batch
ADVANCE = """
local gaps = 0
for i = 1, #ARGV, 3 do
    local held = redis.call('HGET', KEYS[1], ARGV[i])
    if tonumber(held or '0') < tonumber(ARGV[i + 1]) then
        gaps = gaps + 1
    elseif not held or tonumber(held) < tonumber(ARGV[i + 2]) then
        redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
    end
end
return gaps
"""


class GenerationLost(Exception):
    """Redis does not have the generation that Postgres names: it was emptied or replaced."""


class RowsMissing(Exception):
    """The position in Redis is before the batch: rows of earlier batches are missing."""


def generation_key(group: str) -> str:
    """The Redis key of the group's generation."""
    return f"hitotsu:generation:{group}"


def position_key(group: str) -> str:
    """The Redis key of the group's position."""
    return f"hitotsu:position:{group}"


class ViewWriter:
    """Writes rows of a group's views, and the position, to Redis."""

    def __init__(self, redis: Redis, group: Group) -> None:
        self.redis = redis
        self.group = group
        self._first = redis.register_script(FIRST)
        self._newer = redis.register_script(NEWER)
        self._advance = redis.register_script(ADVANCE)

    def write(
        self,
        told: Mapping[StoredTable, Iterable[ViewRow]],
        generation: str,
        first: Iterable[tuple[int, bytes]] = (),
    ) -> None:
        """Writes rows unless Redis has newer versions of them.

        `told`: rows by table. `first`: encoded new rows. Raises `GenerationLost` if Redis has
        another generation; `generation` "": it is not checked (refill).
        """
        some, newer = list(first), []
        for table, rows in told.items():
            prefix = hash_key(table, self.group.versions[table.projection], "")
            firsts, others = redis_rows.told(prefix, rows)
            some += firsts
            newer += others
        self._write(self._first, some, generation)
        self._write(self._newer, newer, generation)

    def _write(self, script: Script, chunks: Chunks, generation: str) -> None:
        keys = [generation_key(self.group.name)]
        for rows, texts in _joined(chunks):
            # header of a MessagePack array with 3 * rows elements
            packed = b"\xdd" + (3 * rows).to_bytes(4) + texts
            stale = int(script(keys=keys, args=[generation, packed]))
            if stale < 0:
                raise GenerationLost
            REDIS_WRITES.labels(self.group.name, "stale").inc(stale)
            REDIS_WRITES.labels(self.group.name, "written").inc(rows - stale)

    def server(self) -> str | None:
        """An identifier of the server process and its data set; None if the server refuses INFO.

        It changes after a restart, a failover or a copy. The data may then be older although the
        generation is the same.
        """
        try:
            server = self.redis.info("server")
            history = self.redis.info("replication")
        except (NoPermissionError, ResponseError):
            return None
        return f"{server.get('run_id')}:{history.get('master_replid')}"

    def advance(
        self,
        positions: Mapping[tuple[str, int], int],
        firsts: Mapping[tuple[str, int], int] | None = None,
    ) -> None:
        """Raises the position in Redis to `positions`; never lowers it.

        `firsts`: offsets that the position must have reached before. Raises `RowsMissing` if it has
        not for some partition, which then stays as it is.
        """
        began = firsts or {}
        arguments = [
            part
            for (topic, partition), end in positions.items()
            for part in (f"{topic}-{partition}", began.get((topic, partition), 0), end)
        ]
        if arguments and int(self._advance(keys=[position_key(self.group.name)], args=arguments)):
            raise RowsMissing


def _joined(chunks: Chunks) -> Iterator[tuple[int, bytes]]:
    """Joins small chunks (a small batch has one per table), to call the script less often."""
    many, texts = 0, list[bytes]()
    for rows, one in chunks:
        if many and many + rows > redis_rows.ROWS_PER_CHUNK:
            yield many, b"".join(texts)
            many, texts = 0, []
        many += rows
        texts.append(one)
    if many:
        yield many, b"".join(texts)
