"""Which rules say who may be one person? The version in force, as the catalog's log has it.

Of all versions the one with the greatest (valid from, version) counts, as the grouping has it: no
clock has a say. Rules without a matching part, or with one that cannot be read, compare nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from projections.member.rules import RULE_SET, read_rules
from schemas.generated.events import MatchRulesActivated
from services.identity.applied_log import AppliedLog
from services.identity.matching.model import MatchModel
from services.runtime.db import Connection
from services.runtime.logging import log
from services.runtime.rows import rows_of

TOPIC = MatchRulesActivated.TOPIC
CURSOR = "select partition, next_offset from hitotsu.match_rules_cursor"
NEWEST = """
select version, rules from hitotsu.match_rules_text order by valid_from desc, version desc limit 1
"""
KEEP = """
insert into hitotsu.match_rules_text as r (version, valid_from, set_at, rules)
values (%s, %s, %s, %s)
on conflict (version, valid_from) do update set set_at = excluded.set_at, rules = excluded.rules
where (excluded.set_at, excluded.rules) > (r.set_at, r.rules)
"""
MOVE = """
insert into hitotsu.match_rules_cursor as c (partition, next_offset) values (%s, %s)
on conflict (partition) do update set next_offset = greatest(c.next_offset, excluded.next_offset)
"""


@dataclass(frozen=True, slots=True)
class InForce:
    """A version by name, and how its model compares."""

    version: str
    model: MatchModel


class MatchRulesFeed:
    """Follows the catalog; every process does, and what it finds is the same."""

    def __init__(self, kafka: str, group: str) -> None:
        self._log = AppliedLog(kafka, group, TOPIC)
        self._read: tuple[str, str] | None = None
        self._in_force: InForce | None = None

    async def close(self) -> None:
        """Lets go of Kafka."""
        await self._log.close()

    async def in_force(self, connection: Connection) -> InForce | None:
        """The version that counts, or None while nobody is compared. Raises `KafkaError`."""
        await self._follow(connection)
        now = await newest(connection)
        if now != self._read:
            self._in_force = None if now is None else in_force(*now)
            self._read = now
        return self._in_force

    async def _follow(self, connection: Connection) -> None:
        rows = await rows_of(connection, CURSOR, [])
        known = {row["partition"]: row["next_offset"] for row in rows}
        ends = await self._log.ends(connection)
        at = [known.get(number, 0) for number in range(max((*known, *ends), default=-1) + 1)]
        while any(ends.get(number, 0) > offset for number, offset in enumerate(at)):
            stretch = await self._log.read(connection, at, ends)
            if not stretch.ends:
                return
            async with connection.transaction():
                for seen in stretch.events:
                    event = seen.event
                    if isinstance(event, MatchRulesActivated) and event.rule_set == RULE_SET:
                        said = [event.version, event.valid_from, event.meta.occurred_at]
                        await connection.execute(KEEP, [*said, event.rules])
                for number, offset in stretch.ends.items():
                    await connection.execute(MOVE, [number, offset])
            at = [stretch.ends.get(number, offset) for number, offset in enumerate(at)]


async def newest(connection: Connection) -> tuple[str, str] | None:
    """The version that counts and its text, as far as the catalog was followed."""
    row = await (await connection.execute(NEWEST)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def in_force(version: str, text: str) -> InForce | None:
    """The rules in this JSON; None, and a line in the log, when they compare nobody."""
    try:
        matching = read_rules(version, text).matching
        return None if matching is None else InForce(version, MatchModel.of(matching))
    except ValueError as error:
        log.error("rules cannot be read", version=version, reason=str(error))
        return None
