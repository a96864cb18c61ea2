"""Who gets a guest's purchase, and is everybody else told why not?"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from infra.backend import Endpoints
from projections.core.instants import micros
from projections.purchases import claim as claim_table
from projections.purchases import sale
from schemas.generated.events import PurchaseAttributed
from schemas.wire import codec
from services.deciding.answers import Answer, Keyed
from services.deciding.decider import Decider
from services.deciding.outcomes import PurchaseUnknown
from services.purchases.decide import Claim, Claimable, ClaimBody, decide
from services.purchases.outcomes import ClaimedBefore, PurchaseClaimed, PurchaseOwned
from services.purchases.work import ClaimWork
from services.state.migrate import migrate

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
SALE, HANAKO, TARO = (UUID(int=number) for number in (1, 2, 3))


def claims(
    *profiles: UUID, purchase: UUID = SALE, dry_run: bool = False, treatment: Any = "MOVE"
) -> list[Claim]:
    """A claim by each profile, with event ids from 101 on."""
    return [
        Claim(
            purchase, UUID(int=101 + number),
            ClaimBody(
                profile_id=profile, points_treatment=treatment, proof="receipt", dry_run=dry_run
            ),
        )
        for number, profile in enumerate(profiles)
    ]  # fmt: skip


def test_the_first_of_two_claims_of_a_batch_gets_the_purchase() -> None:
    decided = decide(claims(HANAKO, TARO), {SALE: Claimable()}, NOW)
    assert decided.outcomes == [
        PurchaseClaimed(
            transaction_id=SALE, profile_id=HANAKO, event_id=UUID(int=101), dry_run=False
        ),
        ClaimedBefore(same_profile=False, applied=False),
    ]
    (fact,) = decided.facts
    assert (fact.transaction_id, fact.profile_id) == (SALE.bytes, HANAKO.bytes)
    assert (fact.points_treatment, fact.proof) == ("MOVE", "receipt")
    assert (fact.meta.event_id, fact.meta.occurred_at) == (UUID(int=101).bytes, micros(NOW))


@pytest.mark.parametrize(
    ("purchase", "denial"),
    [
        (Claimable(owner=HANAKO), PurchaseOwned(same_profile=False)),
        (Claimable(owner=TARO), PurchaseOwned(same_profile=True)),
        (Claimable(claimed_by=HANAKO), ClaimedBefore(same_profile=False, applied=True)),
        (Claimable(claimed_by=TARO), ClaimedBefore(same_profile=True, applied=True)),
        (Claimable(promised_to=TARO), ClaimedBefore(same_profile=True, applied=False)),
        # a claim told as a fact was first in the log: the accepted one came too late
        (Claimable(claimed_by=HANAKO, promised_to=TARO),
         ClaimedBefore(same_profile=False, applied=True)),
    ],
)  # fmt: skip
def test_a_denial_says_who_has_the_purchase(purchase: Claimable, denial: PurchaseOwned) -> None:
    decided = decide(claims(TARO), {SALE: purchase}, NOW)
    assert (decided.outcomes, decided.facts) == ([denial], [])


def test_a_purchase_that_nobody_told_cannot_be_claimed() -> None:
    decided = decide(claims(HANAKO), {}, NOW)
    assert (decided.outcomes, decided.facts) == ([PurchaseUnknown()], [])


def test_a_dry_run_claims_nothing() -> None:
    purchases = {SALE: Claimable()}
    (said,) = decide(claims(HANAKO, dry_run=True), purchases, NOW).outcomes
    assert said == PurchaseClaimed(
        transaction_id=SALE, profile_id=HANAKO, event_id=None, dry_run=True
    )
    assert purchases == {SALE: Claimable()}


class Till:
    """Purchases in Postgres, and two processes that decide claims of them."""

    def __init__(self, dsn: str, deciders: list[Decider]) -> None:
        self._dsn, self._deciders = dsn, deciders
        self._asked = 0

    def rows(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute("set search_path = test_claims, hitotsu")
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def sold(self, owner: UUID | None = None) -> UUID:
        """A sale as the projector stores it; without owner a guest's."""
        transaction = uuid4()
        self.rows("insert into sale values (%s, %s, 1)", transaction, owner or transaction)
        return transaction

    async def asks(self, purchase: UUID, profile: UUID, key: str | None = "") -> Answer:
        """Sends a claim to the processes in turn; `key` None: a dry run."""
        (command,) = claims(profile, purchase=purchase, dry_run=key is None)
        command = Claim(command.transaction_id, uuid4(), command.body)
        digest = hashlib.blake2b(f"{purchase}{profile}".encode(), digest_size=16).digest()
        self._asked += 1
        decider = self._deciders[self._asked % len(self._deciders)]
        name = uuid4().hex if key == "" else key
        return await decider.ask(Keyed("till", name, digest, command))

    def sent(self, purchase: UUID) -> list[PurchaseAttributed]:
        """The events about the purchase in the outbox."""
        rows = self.rows("select record_value from outbox where topic = 'commerce.purchases'")
        events = [codec.decode(bytes(row[0])) for row in rows]
        return [
            event for event in events
            if isinstance(event, PurchaseAttributed) and event.transaction_id == purchase.bytes
        ]  # fmt: skip


@pytest.fixture
async def till(servers: Endpoints) -> AsyncIterator[Till]:
    """The tables that a claim reads are made here in a schema of their own."""
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        migrate(connection)
        connection.execute("drop schema if exists test_claims cascade")
        connection.execute("create schema test_claims")
        connection.execute(
            f"create table test_claims.{sale.name}"
            " (transaction_id uuid primary key, owner_id uuid, occurred_at bigint)"
        )
        connection.execute(
            f"create table test_claims.{claim_table.name}"
            " (transaction_id uuid primary key, profile_id uuid)"
        )
    deciders = [
        Decider(servers.postgres, "claims", ClaimWork("test_claims"), lambda: None, "test_claims")
        for _ in range(2)
    ]
    for decider in deciders:
        await decider.start()
    try:
        yield Till(servers.postgres, deciders)
    finally:
        for decider in deciders:
            await decider.stop()


def said(answer: Answer) -> tuple[int, str]:
    """Status and type of problem, or the transaction."""
    body = json.loads(answer.body)
    return answer.status, body.get("type", body.get("transaction_id"))


@pytest.mark.servers
async def test_of_many_claims_at_once_at_two_processes_exactly_the_first_is_accepted(
    till: Till,
) -> None:
    for _ in range(10):
        purchase = till.sold()
        answers = await asyncio.gather(*(till.asks(purchase, uuid4()) for _ in range(8)))
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [201, *[409] * 7]
        (event,) = till.sent(purchase)
        (accepted,) = (json.loads(one.body) for one in answers if one.status == 201)
        assert UUID(accepted["profile_id"]).bytes == event.profile_id
        assert UUID(accepted["event_id"]).bytes == event.meta.event_id


@pytest.mark.servers
async def test_a_claim_is_decided_once_by_key_and_denied_by_what_is_known(till: Till) -> None:
    purchase = till.sold()
    assert said(await till.asks(purchase, HANAKO, None)) == (200, str(purchase))
    first = await till.asks(purchase, HANAKO, "a key")
    assert said(first) == (201, str(purchase))
    assert await till.asks(purchase, HANAKO, "a key") == first
    late = await till.asks(purchase, TARO)
    assert said(late) == (409, "/problems/claimed-before")
    assert json.loads(late.body)["detail"].startswith("Another profile claimed the purchase before")
    assert len(till.sent(purchase)) == 1
    # applied, and its decision is deleted as an old one
    till.rows("insert into purchase_claim values (%s, %s)", purchase, HANAKO)
    till.rows("delete from claim_decided where transaction_id = %s", purchase)
    assert said(await till.asks(purchase, TARO)) == (409, "/problems/claimed-before")
    owned = till.sold(HANAKO)
    assert said(await till.asks(owned, TARO)) == (409, "/problems/purchase-has-owner")
    assert said(await till.asks(uuid4(), TARO)) == (404, "/problems/purchase-not-found")
    untold = till.sold()
    till.rows("update sale set occurred_at = null where transaction_id = %s", untold)
    assert said(await till.asks(untold, TARO)) == (404, "/problems/purchase-not-found")
    assert till.sent(owned) == till.sent(untold) == []
