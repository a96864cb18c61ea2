"""A town whose people have several profiles: facts go in, and what follows is awaited."""

from __future__ import annotations

import asyncio
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from infra.home import free_port
from projections.member.rules import MatchRules
from schemas.generated.events import MatchRulesActivated, Meta, Producer
from schemas.wire import codec
from services.identity.shards import SHARES
from services.intake.bulk import BulkProducer
from tests.services.gateway.running import ends_by, open_consumer
from tests.services.identity.weighing import rules
from tests.services.rebuild.road import Road, road

TOKENS = {"staff": "staff-token-of-a-test", "app": "app-token-of-a-test"}
T0 = "2026-04-01T10:00:00+09:00"
BASE = "/v1/identity"


class Desk:
    """`python -m services.identity_app` on a port of its own."""

    def __init__(self, road: Road, name: str, planted: str = "") -> None:
        """`planted`: a bug that the process has, by its name in `planted.py`."""
        self.road, self.name, self.port, self.planted = road, name, free_port(), planted
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        where = ("planted", "tests.services.identity") if self.planted else ("identity_app",)
        self.process = self.road.start(
            *where, HITOTSU_PORT=str(self.port), HITOTSU_INSTANCE=self.name, PLANTED=self.planted
        )

    def kill(self) -> None:
        """SIGKILL to this process alone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, path: str, **parameters: Any) -> Any:
        purpose = parameters.pop("purpose", None)
        headers = {"Authorization": f"Bearer {TOKENS['staff']}"}
        if purpose:
            headers["Purpose"] = purpose
        answer = httpx.get(
            self.url + BASE + path, params=parameters, headers=headers, trust_env=False, timeout=20
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict[str, Any], key: str = "") -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {TOKENS['staff']}",
            "Idempotency-Key": key or secrets.token_hex(8),
        }
        url = self.url + BASE + path
        return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=20)


class Town:
    """Servers, a projector, desks, and an API of a test's own."""

    def __init__(self, road: Road, desks: int = 1, planted: str = "") -> None:
        self.road = road
        self.projector = road.start("projector")
        names = [f"identity-{number}" for number in range(1, desks + 1)]
        self.desks = [Desk(road, name, planted) for name in names]
        self.reads = road.api()
        self._consumer = open_consumer(road.endpoints)

    @property
    def desk(self) -> Desk:
        return self.desks[0]

    def sets(self, made: MatchRules, valid_from: int = 1) -> None:
        """Rules, straight into the catalog."""
        meta = Meta(
            event_id=uuid4().bytes,
            occurred_at=time.time_ns() // 1_000,
            producer=Producer(system="test", channel="HEAD_OFFICE"),
        )
        event = MatchRulesActivated(
            meta=meta,
            rule_set="identity",
            version=made.version,
            rules=made.text(),
            valid_from=valid_from,
        )
        self.road.send(iter([(event.TOPIC, codec.key_of(event), codec.encode(event))]))
        seen = "select 1 from match_rules where version = %s"
        self.until(lambda: self.road.sql(seen, made.version))

    def tells(self, events: Iterable[dict[str, Any]]) -> None:
        """Facts as producers send them, sealed on their way."""

        async def send() -> None:
            async with BulkProducer(self.road.settings) as bulk:
                counts = await bulk.send(events)
                assert not counts.rejected, counts.reasons

        asyncio.run(send())

    def pairs(self) -> set[tuple[UUID, UUID]]:
        """What the projection holds as linked by the rules in force."""
        statement = """
            select l.profile_id, l.other_profile_id from rule_link l
            where verdict = 'linked' and rule_version =
                (select version from match_rules order by valid_from desc, version desc limit 1)
        """
        return {(row[0], row[1]) for row in self.road.sql(statement)}

    def member_of(self, profile: str) -> UUID:
        rows = self.road.sql("select member_id from member_group where profile_id = %s", profile)
        return UUID(str(rows[0][0])) if rows else UUID(profile)

    def settled(self, seconds: float = 60) -> None:
        """Until everything in the log is applied, compared, and its facts are applied too."""
        self.until(self._quiet, seconds)

    def _quiet(self) -> bool:
        ends = self._ends()
        version = self.road.sql(
            "select version from match_rules order by valid_from desc, version desc limit 1"
        )
        rows = self.road.sql(
            "select positions from match_progress where rule_version = %s",
            version[0][0] if version else "",
        )
        owed = self.road.sql("select count(*) from outbox where sent_at is null")[0][0]
        done = len(rows) == SHARES and all(tuple(row[0]) == ends for row in rows)
        return bool(done and not owed and ends == self._ends())

    def _ends(self) -> tuple[int, ...]:
        """Of the members' topic, once all of it is applied."""
        log = ends_by(self._consumer, "commerce.members")
        rows = self.road.sql(
            "select partition, next_offset from checkpoint where topic = 'commerce.members'"
        )
        applied = dict(rows)
        if any(applied.get(number, 0) < end for number, end in log.items()):
            return ()
        return tuple(log[number] for number in sorted(log))

    def close(self) -> None:
        """Closes what it asks with; its processes end with the road."""
        self._consumer.close()

    @staticmethod
    def until(true: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.1)


def registered(profile: str | None = None, at: str = T0, **fields: Any) -> dict[str, Any]:
    """A profile as a source system registers it."""
    identifiers = [
        {"kind": kind, "value": fields.pop(kind), "verified": True}
        for kind in ("card", "account", "email", "phone")
        if kind in fields
    ]
    return {
        "type": "ProfileRegistered",
        "meta": _meta(at),
        "profile_id": profile or str(uuid4()),
        "source_system": "pos",
        "registered_at": at,
        "identifiers": identifiers,
        **fields,
    }


def updated(profile: str, at: str, cleared: Iterable[str] = (), **fields: Any) -> dict[str, Any]:
    """A source system knows better."""
    return {
        "type": "ProfileUpdated",
        "meta": _meta(at),
        "profile_id": profile,
        "cleared": list(cleared),
        **fields,
    }


def _meta(at: str) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "occurred_at": at,
        "producer": {"system": "pos", "channel": "STORE"},
    }


@contextmanager
def town(
    home: Path, desks: int = 1, planted: str = "", made: MatchRules | None = None
) -> Iterator[Town]:
    """Everything up, with rules in force (`rules("first")`), and down again."""
    with road(home, TOKENS) as own:
        place = Town(own, desks, planted)
        try:
            place.sets(made or rules("first"))
            for desk in place.desks:
                place.until(desk.ready)
            yield place
        finally:
            place.close()
