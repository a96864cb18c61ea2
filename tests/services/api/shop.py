"""A small shop in Postgres and Redis, as the projector would have left it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import psycopg
import redis
from psycopg import sql

from projections import discover
from projections.core.sql import quoted, view_columns
from schemas.personal import blind_index, normalise, seal

_SHOP = UUID("5b0f3f0e-6a51-4b7e-9d1c-1f5a3e0c7a11")
AT = 1_700_000_000_000_000
IN_2100 = 4_102_444_800_000_000
GENERATION = "8d7f2b1e-0000-4000-8000-000000000001"
POSITION = {
    "commerce.points-0": 120,
    "commerce.members-0": 7,
    "commerce.purchases-0": 30,
    "commerce.inventory-0": 40,
    "commerce.catalog-0": 5,
    "commerce.inquiries-0": 4,
}


def named(name: str) -> UUID:
    """The id of something in this shop."""
    return uuid5(_SHOP, name)


CARD, ACCOUNT, ALONE = named("card"), named("account"), named("alone")
REGISTERED, SALE, INQUIRY, ASKED = (
    named("registered"),
    named("sale"),
    named("inquiry"),
    named("asked"),
)
CLOSED = named("closed")
CLEAR_NAME, CLEAR_EMAIL, CLEAR_TEXT = "一 ひとつ", "hitotsu@example.jp", "届きません"
CLEAR_NOTE = "再送しました"


@dataclass
class Shop:
    """Fills rows by SQL and copies them to Redis by the contract of the views."""

    postgres: str
    redis_url: str
    blind_key: bytes
    keys: dict[bytes, bytes] = field(default_factory=dict)

    def fill(self) -> None:
        """Everything that the tests ask about."""
        with self._connected() as connection:
            self._members(connection)
            self._points(connection)
            self._purchases(connection)
            self._catalog(connection)
            self._stock(connection)
            self._inquiries(connection)
            self._engine(connection)
        self.copy_to_redis()

    def copy_to_redis(
        self, generation: str = GENERATION, position: dict[str, int] | None = None
    ) -> None:
        """Every row of every view, the position and, last, the generation."""
        client = redis.Redis.from_url(self.redis_url, decode_responses=True)
        with client, self._connected() as connection:
            client.flushdb()
            for projection in discover():
                for table in projection.tables:
                    if table.view is None:
                        continue
                    rows = connection.execute(
                        f"select {view_columns(table)} from {quoted(table.name)} t".encode()
                    )
                    for by, name, version, payload in rows.fetchall():
                        key = f"h1:{table.name}:{projection.version}:{by}"
                        client.hset(key, name, f"{version}|{payload}")
            client.hset("hitotsu:position:main", mapping=position or POSITION)  # type: ignore[arg-type]
            client.set("hitotsu:generation:main", generation)

    def execute(self, statement: str, *values: Any) -> None:
        with self._connected() as connection:
            connection.execute(statement.encode(), values)

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self.postgres, autocommit=True, options="-c search_path=main,hitotsu"
        )

    def _members(self, connection: psycopg.Connection[Any]) -> None:
        sealed = seal(self.keys[CARD.bytes], REGISTERED.bytes, "name", CARD.bytes, CLEAR_NAME)
        email = seal(
            self.keys[CARD.bytes], REGISTERED.bytes, "identifiers[0].value", CARD.bytes, CLEAR_EMAIL
        )
        index = UUID(bytes=blind_index(self.blind_key, "email", normalise("email", CLEAR_EMAIL)))
        put(
            connection,
            "profile",
            profile_id=CARD,
            source_system="pos",
            registered_at=AT,
            name=REGISTERED.bytes + sealed,
            given_at=[AT, 0, 0, 0, 0],
            row_version=1,
        )
        put(
            connection,
            "profile",
            profile_id=ACCOUNT,
            source_system="ec",
            registered_at=AT + 1,
            row_version=1,
        )
        put(
            connection,
            "identifier",
            profile_id=CARD,
            kind="email",
            value_index=index,
            value=REGISTERED.bytes + email,
            field="identifiers[0].value",
            verified=True,
            seen_at=AT + 60_000_000,
            first_seen=AT,
            row_version=1,
        )
        for profile, member, profiles in (
            (CARD, CARD, [CARD, ACCOUNT]),
            (ACCOUNT, CARD, [CARD, ACCOUNT]),
            (ALONE, ALONE, [ALONE]),
        ):
            put(
                connection, "member_group", profile_id=profile, member_id=member,
                profiles=profiles, open_case=False, row_version=1,
            )  # fmt: skip

    def _points(self, connection: psycopg.Connection[Any]) -> None:
        for profile, points in ((CARD, 300), (ACCOUNT, 45)):
            put(
                connection,
                "point_entry",
                event_id=named(f"earned by {profile}"),
                number=0,
                profile_id=profile,
                lot_id=named(f"lot of {profile}"),
                kind="earned",
                points=points,
                at=AT,
                transaction_id=SALE if profile == CARD else None,
            )
        for number, (kind, points) in enumerate((("redeemed", 30), ("reinstated", -10))):
            put(
                connection, "points_across", event_id=named(f"across {kind}"), number=number,
                profile_id=CARD, owner_id=ACCOUNT, kind=kind, points=points, at=AT,
                transaction_id=SALE,
            )  # fmt: skip

    def _purchases(self, connection: psycopg.Connection[Any]) -> None:
        lines = [[1, "tv", 1, 450], [2, "tea", 2, 450]]
        documents = {
            named("bought").hex: [
                "sale", AT, CARD.hex, "STORE", "S1", "JPY", 900, 0, None, lines,
                "000017", 19_675,
            ],
            named("brought back").hex: ["return", AT + 5, "S1", [[2, "tea", 2, "BACK_IN_STOCK"]]],
        }  # fmt: skip
        put(
            connection,
            "sale",
            transaction_id=SALE,
            documents=json.dumps(documents),
            owner_id=CARD,
            occurred_at=AT,
            receipt_number="000017",
            shop_day="19675 S1",
            row_version=1,
        )
        for number, sku in enumerate(("tea", "jam")):
            put(
                connection, "purchase_discrepancy", event_id=named("brought back"), number=number,
                kind="over_return", at=AT + 5, transaction_id=SALE, sku=sku, location_id="S1",
                quantity=1,
            )  # fmt: skip
        settled = hashlib.md5(f"over_return|{named('brought back')}|jam|S1".encode()).hexdigest()
        put(
            connection, "discrepancy_settlement", discrepancy_id=UUID(settled),
            kind="over_return", subject_id=SALE, location_id="S1", settled_at=AT + 9,
            resolution="DOCUMENT_WRONG", actor="auditor", row_version=1,
        )  # fmt: skip

    def _catalog(self, connection: psycopg.Connection[Any]) -> None:
        put(
            connection,
            "need_policy",
            scope="default",
            valid_from=0,
            set_at=0,
            kind="ONE_OFF",
            reach="SKU",
            row_version=1,
        )
        for sku in ("tv", "tea", "rug"):
            put(
                connection,
                "item",
                sku=sku,
                valid_from=0,
                described_at=0,
                name=sku,
                category="home",
                row_version=1,
            )

        for valid_from, name in ((0, "Ginza"), (IN_2100, "Ginza Six")):
            put(
                connection,
                "location",
                location_id="S1",
                valid_from=valid_from,
                described_at=0,
                kind="STORE",
                name=name,
                latitude_e6=35_669_500,
                longitude_e6=None,
                row_version=1,
            )

    def _stock(self, connection: psycopg.Connection[Any]) -> None:
        for sku, location, on_hand in (
            ("tv", "S2", 4),
            ("tv", "S1", -1),
            ("茶|1", "S1", 7),
            ("tea", "EC", 9),
        ):
            put(
                connection,
                "stock_cell",
                sku=sku,
                location_id=location,
                on_hand=on_hand,
                committed=0,
                unavailable=0,
                incoming=0,
                row_version=1,
            )
        put(
            connection,
            "stock_count",
            event_id=named("counted"),
            number=0,
            sku="tv",
            location_id="S2",
            counted_at=AT,
            quantity=4,
        )
        put(
            connection,
            "stock_policy",
            location_id="S2",
            sku="",
            valid_from=0,
            set_at=0,
            safety_stock=1,
            store_share=1,
            company_threshold=0,
            row_version=1,
        )
        connection.execute(
            "insert into terminal_receipts values"
            " ('pos', 'S1', 'T1', 0, 0, 20000, 3, '{[991,994),[996,999)}', 1),"
            " ('pos', 'S1', 'T1', 0, 0, 20000, 4, '{[999,1000)}', 1),"
            " ('pos', 'S1', 'T1', 0, 1, 20001, 4, '{[1000,1001)}', 1) on conflict do nothing"
        )

    def _inquiries(self, connection: psycopg.Connection[Any]) -> None:
        text = seal(self.keys[ACCOUNT.bytes], ASKED.bytes, "text", ACCOUNT.bytes, CLEAR_TEXT)
        put(
            connection,
            "inquiry",
            inquiry_id=INQUIRY,
            profile_id=ACCOUNT,
            profile_rank=2 * AT,
            opened_at=AT,
            channel="EC",
            topic="delivery",
            topic_rank=2 * AT,
            about_at=AT,
            sku="tv",
            messages=1,
            closed_at=AT + 1,
            row_version=1,
        )
        put(
            connection,
            "inquiry_message",
            event_id=ASKED,
            number=0,
            inquiry_id=INQUIRY,
            subject_id=ACCOUNT,
            occurred_at=AT,
            author="CUSTOMER",
            text=text,
        )
        note = seal(self.keys[ACCOUNT.bytes], CLOSED.bytes, "note", ACCOUNT.bytes, CLEAR_NOTE)
        put(
            connection,
            "inquiry_message",
            event_id=CLOSED,
            number=0,
            inquiry_id=INQUIRY,
            subject_id=ACCOUNT,
            occurred_at=AT + 1,
            author="CLOSING",
            text=note,
        )

    def _engine(self, connection: psycopg.Connection[Any]) -> None:
        for name, offset in POSITION.items():
            topic, _, partition = name.rpartition("-")
            put(
                connection,
                "checkpoint",
                grp="main",
                topic=topic,
                partition=int(partition),
                next_offset=offset,
                applied=offset,
            )
        put(connection, "cache_generation", grp="main", generation=GENERATION)
        connection.execute(
            "insert into ledger select %s, 1, 1, no, 0, 119 from topic"
            " where name = 'commerce.points'"
            " on conflict do nothing",
            [named("applied")],
        )
        connection.execute(
            "insert into duplicate_document select %s, 2, 1, no, 0, 120, %s, null from topic"
            " where name = 'commerce.points'"
            " on conflict do nothing",
            [named("told again"), named("applied")],
        )
        for number, stage in enumerate(("decode", "conflict")):
            put(
                connection,
                "dead_letter",
                topic="commerce.points",
                partition=0,
                offset=90 + number,
                stage=stage,
                error_class="Undecodable",
                reason="trailing bytes",
                event_id=named(stage),
                appended_at="2026-01-01T00:00:00Z",
                grps=["main"],
            )


def put(connection: psycopg.Connection[Any], table: str, **row: Any) -> None:
    """One row, unless it is there."""
    statement = sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    connection.execute(statement, list(row.values()))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers say the same, wherever they came from."""
    keys = one.keys() | other.keys()
    compared = keys - {"served_from", "lag"}
    return all(json.dumps(one.get(key)) == json.dumps(other.get(key)) for key in compared)
