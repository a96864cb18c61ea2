"""Reads match rules from the catalog topic, and provides the version in force.

The version with the greatest (valid_from, version) is in force, as in the grouping; no clock is
involved. If these rules have no part `matching`, or an invalid one, no profiles are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from projections.member.rules import RULE_SET, read_rules
from schemas.generated.events import MatchRulesActivated
from services.following.applied_log import AppliedEvent, AppliedLog
from services.following.follower import CursorTable, Follower
from services.identity.matching.model import MatchModel
from services.runtime.db import Connection
from services.runtime.logging import log

TOPIC = MatchRulesActivated.TOPIC
CURSOR = CursorTable("hitotsu.match_rules_cursor", only_topic=TOPIC)
NEWEST = """
select version, rules from hitotsu.match_rules_text order by valid_from desc, version desc limit 1
"""
KEEP = """
insert into hitotsu.match_rules_text as r (version, valid_from, set_at, rules)
values (%s, %s, %s, %s)
on conflict (version, valid_from) do update set set_at = excluded.set_at, rules = excluded.rules
where (excluded.set_at, excluded.rules) > (r.set_at, r.rules)
"""


@dataclass(frozen=True, slots=True)
class InForce:
    """The version of the match rules in force, and its model."""

    version: str
    model: MatchModel


class MatchRulesFeed:
    """Follows the catalog topic; every process does, and stores the same rows."""

    def __init__(self, kafka: str, group: str) -> None:
        self._catalog = Follower(AppliedLog(kafka, group, [TOPIC]), CURSOR, keep)
        self._read: tuple[str, str] | None = None
        self._in_force: InForce | None = None

    async def close(self) -> None:
        """Closes the consumer."""
        await self._catalog.close()

    def reset(self) -> None:
        """Reads the stored cursor again on the next call; another process may have moved it."""
        self._catalog.reset()

    async def in_force(self, connection: Connection) -> InForce | None:
        """The version in force, after reading the topic to its end.

        None when there are no rules, or none by which profiles can be compared. Raises `KafkaError`
        when Kafka is unreachable.
        """
        while await self._catalog.follow(connection):
            pass
        now = await newest(connection)
        if now != self._read:
            self._in_force = None if now is None else in_force(*now)
            self._read = now
        return self._in_force


async def keep(connection: Connection, events: Sequence[AppliedEvent]) -> None:
    """Stores the versions of the match rules that these events activate."""
    for event in (read.event for read in events):
        if isinstance(event, MatchRulesActivated) and event.rule_set == RULE_SET:
            said = [event.version, event.valid_from, event.meta.occurred_at, event.rules]
            await connection.execute(KEEP, said)


async def newest(connection: Connection) -> tuple[str, str] | None:
    """Version and JSON of the stored rules in force; None when no rules are stored."""
    row = await (await connection.execute(NEWEST)).fetchone()
    return None if row is None else (str(row[0]), str(row[1]))


def in_force(version: str, text: str) -> InForce | None:
    """The rules in this JSON; None without a part `matching`, or (logged) with an invalid model."""
    try:
        matching = read_rules(version, text).matching
        return None if matching is None else InForce(version, MatchModel.of(matching))
    except ValueError as error:
        log.error("rules_unreadable", version=version, reason=str(error))
        return None
