"""The identity process as an ASGI application: its tasks, clients and routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette

from projections.member import projection as member
from services.deciding.decider import Decider
from services.deciding.endpoint import Door
from services.deciding.outbox import OutboxRelay
from services.http.bearer import tokens_needed
from services.http.cursors import Cursors
from services.http.health import Dependency, answering
from services.http.web_process import About, web_process
from services.identity.matcher import Matcher
from services.identity.membership import ConsumerMembership
from services.identity.pairs import Pair, PairEvidence
from services.identity.review.routes import Desk, operations
from services.identity.review.work import IdentityWork
from services.identity_app import PROCESS
from services.runtime.build_state import Builds, BuildWatch
from services.runtime.config import Settings
from services.runtime.db import Pool, pool
from services.runtime.keys import SubjectKeys
from services.runtime.producer import Producer
from services.runtime.readiness import NotReady
from services.runtime.tokens import Tokens

ABOUT = About(
    PROCESS.name,
    "Hitotsu identity",
    "Finds profiles that may be one person, and takes staff decisions about them.",
    'curl -sS "$IDENTITY/v1/identity/cases" -H "Authorization: Bearer $TOKEN"',
)


def create(settings: Settings) -> Starlette:
    """Builds the ASGI application; it starts even if Kafka or Postgres is unreachable."""
    name = settings.instance or "identity"
    postgres = pool(settings.postgres, group=settings.group, name="identity", timeout=2.0)
    producer = Producer(settings.kafka, client_id=name)
    relay = OutboxRelay(settings.postgres, producer)
    keys = SubjectKeys(postgres, settings.key_encryption_key)
    membership = ConsumerMembership(settings.kafka, settings.group, name)
    builds = Builds({member.name: member.version})
    needs = frozenset({member.name})
    matcher = Matcher(settings, keys, membership, relay.kick, lambda: builds.ready(needs))
    watch = BuildWatch(settings.postgres, settings.group, builds)

    def seen(pair: Pair) -> tuple[str | None, PairEvidence | None]:
        everybody = matcher.ready
        if everybody is None:
            return None, None
        return everybody.version, everybody.pair(pair)

    work = IdentityWork(seen)
    decider = Decider(settings.postgres, "identity", work, relay.kick, group=settings.group)
    tokens = Tokens(postgres)
    desk = Desk(
        Door(tokens, decider, builds, needs), postgres, settings.group, keys,
        settings.blind_index_key, Cursors(settings.blind_index_key), lambda: matcher.ready,
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await postgres.open(wait=False)
        await producer.start()
        for each in (relay, decider, membership, watch, matcher):
            await each.start()
        try:
            yield
        finally:
            for one in (matcher, watch, membership, decider, relay, producer):
                await one.stop()
            await postgres.close(timeout=2.0)

    return web_process(
        ABOUT,
        operations(desk),
        [*_dependencies(postgres, producer, matcher), tokens_needed(tokens)],
        lifespan,
    )


def _dependencies(postgres: Pool, producer: Producer, matcher: Matcher) -> list[Dependency]:
    async def knows() -> dict[str, Any]:
        if matcher.everybody is None and matcher.idle:
            return {"rules": None}
        everybody = matcher.ready
        if everybody is None:
            raise NotReady(_unknown(matcher))
        return {
            "rules": everybody.version, "known": len(everybody), "profiles": matcher.profiles
        }  # fmt: skip

    return [
        Dependency("postgres", answering(postgres, "select 1 from hitotsu.match_progress limit 1")),
        Dependency("matcher", knows),
        Dependency("kafka", producer.check, required=False),
    ]


def _unknown(matcher: Matcher) -> str:
    """The reason why the matcher is not ready, as text."""
    if matcher.everybody is None or matcher.profiles is None:
        return "profiles are being loaded into memory"
    return f"{len(matcher.everybody)} of {matcher.profiles} profiles are in memory"
