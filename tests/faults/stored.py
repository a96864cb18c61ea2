"""Which rows do Postgres and Redis hold? Read with SQL of the tests' own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import UUID

import psycopg
from redis import Redis

from tests.faults.oracle import Rows

# the documents of a sale or a transfer: by their ids, what they hold is the product's own
DECLARED = "position('declared' in documents::text) > 0"
NAMES_OF_DOCUMENTS = "array(select json_object_keys(documents::json) order by 1)"
SELECTS = {
    "ledger": 'event_id, topic.name, partition, "offset" from ledger'
    " join hitotsu.topic on topic.no = ledger.topic",
    "terminal_receipts": "system, store_id, terminal_id, epoch, topic.name,"
    " source_partition % 10000, array_agg(distinct n order by n) from terminal_receipts"
    " join hitotsu.topic on topic.no = source_partition / 10000, unnest(seen) as part,"
    " generate_series(lower(part), upper(part) - 1) as n group by 1, 2, 3, 4, 5, 6",
    "till_receipt": "event_id, day, store_id, system, terminal_id, epoch, sequence, at, told_day,"
    " odd_day, currency, tenders, taxes from till_receipt",
    "terminal_closing": "store_id, system, terminal_id, epoch, day, first, closed_at, said"
    " from terminal_closing",
    "terminal_clock": "system, store_id, terminal_id, clock_offset, first_seen, last_seen, events"
    " from terminal_clock",
    "point_entry": "event_id, number, profile_id, lot_id, kind, points, at, active_from,"
    " expires_at, transaction_id, line_no, terminal, rule_version, program_id, foreign_money"
    " from point_entry",
    "points_across": "event_id, number, profile_id, owner_id, kind, points, at, transaction_id,"
    " program_id from points_across",
    "program_membership": "event_id, number, profile_id, program_id, joined, at"
    " from program_membership",
    "program_rules": "program_id, valid_from, set_at, version, accrual, rules from program_rules",
    # a cell without a row is one of zeros
    "stock_cell": "sku, location_id, on_hand, on_hand_read, on_hand_read_at, committed,"
    " unavailable, incoming from stock_cell"
    " where (on_hand, committed, unavailable, incoming) <> (0, 0, 0, 0)"
    " or on_hand_read_at is not null",
    "stock_count": "event_id, sku, location_id, counted_at, quantity, zone from stock_count",
    "stock_selling_zone": "location_id, valid_from, set_at, zone from stock_selling_zone",
    # summed up: which of several documents at one time moved what is not told
    "stock_promise": "sku, location_id, at, sum(committed)::bigint, sum(unavailable)::bigint,"
    " sum(incoming)::bigint from stock_promise group by 1, 2, 3"
    " having sum(committed) <> 0 or sum(unavailable) <> 0 or sum(incoming) <> 0",
    "stock_order": "order_id from stock_order",
    # who asks about a code is compared by what follows from the answers
    "stock_order_code": f"code_id, {NAMES_OF_DOCUMENTS} from stock_order_code where {DECLARED}",
    "stock_transfer": f"transfer_id, {NAMES_OF_DOCUMENTS} from stock_transfer",
    "stock_delivery": f"delivery_id, {NAMES_OF_DOCUMENTS} from stock_delivery",
    "stock_expected": "sku, location_id, expected_at, sum(incoming)::bigint,"
    " sum(preordered)::bigint from stock_expected group by 1, 2, 3"
    " having sum(incoming) <> 0 or sum(preordered) <> 0",
    "stock_expected_move": "sku, location_id, at, expected_at, sum(incoming)::bigint,"
    " sum(preordered)::bigint from stock_expected_move group by 1, 2, 3, 4"
    " having sum(incoming) <> 0 or sum(preordered) <> 0",
    "stock_discrepancy": "kind, at, subject_id, sku, location_id, resolution,"
    " sum(quantity)::bigint from stock_discrepancy group by 1, 2, 3, 4, 5, 6",
    "item": "sku, valid_from, described_at, name, category from item",
    "item_code": "node, code, sku, valid_from, described_at from item_code",
    "location": "location_id, valid_from, described_at, kind, name from location",
    "stock_policy": "location_id, sku, valid_from, set_at, safety_stock, store_share,"
    " company_threshold from stock_policy",
    "need_policy": "scope, valid_from, set_at, kind, reach, interval_days from need_policy",
    "sale": f"transaction_id, owner_id, occurred_at, {NAMES_OF_DOCUMENTS} from sale",
    "sale_code": f"code_id, {NAMES_OF_DOCUMENTS} from sale_code where {DECLARED}",
    # of a document that names no item, and of money, there are no units
    "purchase_discrepancy": "kind, at, transaction_id, sku, location_id,"
    " sum(case when sku = '' or kind = 'sums' then 0 else quantity end)::bigint"
    " from purchase_discrepancy group by 1, 2, 3, 4, 5",
    "purchase_claim": "transaction_id, profile_id, claimed_at, treatment from purchase_claim",
    "purchase_claim_told": "event_id, at, transaction_id, profile_id from purchase_claim_told",
    "discrepancy_settlement": "discrepancy_id, kind, subject_id, location_id, settled_at,"
    " resolution, actor, reason_code"
    " from discrepancy_settlement",
    "inquiry": "inquiry_id, profile_id, opened_at, channel, topic, sku, store_id,"
    " transaction_id, line_no, messages, asked_at, answered_at, closed_at, resolution,"
    " reopened_at from inquiry",
    "inquiry_merge": "inquiry_id, merged_at, into_id from inquiry_merge",
    "inquiry_message": "event_id, inquiry_id, subject_id, occurred_at, author, text"
    " from inquiry_message",
    "profile": "profile_id, source_system, registered_at, registration_at, registration_id,"
    " name, name_kana, postcode, postcode_index, address, birth_date, given_at, erased_at"
    " from profile",
    "identifier": "profile_id, kind, value_index, value, field, verified, seen_at, first_seen"
    " from identifier",
    "profile_link": "profile_id, other_profile_id, decided_at, verdict, actor from profile_link",
    "rule_link": "profile_id, other_profile_id, rule_version, decided_at, verdict, weight, evidence"
    " from rule_link",
    "match_rules": "rule_set, valid_from, version, set_at, identifiers, survivorship"
    " from match_rules",
    "member_group": "profile_id, member_id, profiles, open_case from member_group",
}
SHOWN = {
    # in Redis: the table, by which column its hashes are, and of which columns their fields
    "point_entry": ("profile_id", "event_id", "number"),
    "program_rules": ("program_id", "valid_from"),
    "program_membership": ("profile_id", "event_id", "number"),
    "stock_cell": ("sku", "location_id"),
    "item": ("sku", "valid_from"),
    "item_code": ("node", "code", "sku", "valid_from"),
    "location": ("location_id", "valid_from"),
    "stock_policy": ("location_id", "sku", "valid_from"),
    "need_policy": ("scope", "valid_from"),
    "sale": ("owner_id", "transaction_id"),
    "purchase_claim": ("profile_id", "transaction_id"),
    "profile": ("profile_id",),
    "match_rules": ("rule_set", "valid_from", "version"),
    "member_group": ("profile_id",),
}
HIDDEN = {"row_version", "on_hand_from"}
COLUMNS = """
select attname from pg_attribute
where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
"""
Checkpoints = dict[tuple[str, int], Counter[str]]


class Stored:
    """One database and the Redis in front of it."""

    def __init__(self, postgres: str, redis: str, group: str = "main") -> None:
        path = f"-c search_path={group},hitotsu"
        self._open = lambda: psycopg.connect(postgres, autocommit=True, options=path)
        self._connection = self._open()
        self._redis = Redis.from_url(redis)
        self._group = group

    @property
    def _postgres(self) -> psycopg.Connection[Any]:
        """A connection that lives; the one before may have gone with its server."""
        try:
            self._connection.execute("select 1")
        except psycopg.OperationalError:
            self._connection.close()
            self._connection = self._open()
        return self._connection

    def close(self) -> None:
        self._connection.close()
        self._redis.close()

    def tables(self) -> dict[str, Rows]:
        """Every projection's rows, as the oracle tells them."""
        return {name: self._rows(f"select {select}") for name, select in SELECTS.items()}

    def checkpoints(self) -> Checkpoints:
        """What each partition's checkpoint counted."""
        names = ("next_offset", "applied", "duplicate", "conflict", "dead_letter")
        rows = self._postgres.execute(
            f"select topic, partition, {', '.join(names)} from checkpoint where grp = %s",
            [self._group],
        )
        return {(row[0], row[1]): Counter(dict(zip(names, row[2:], strict=True))) for row in rows}

    def verdicts(self) -> dict[tuple[str, int], list[str]]:
        """Of each partition, in offset order: what is neither applied nor a letter is a resend."""
        verdicts = {
            place: ["duplicate"] * count["next_offset"]
            for place, count in self.checkpoints().items()
        }
        stages = "case stage when 'conflict' then stage else 'dead_letter' end"
        for rows in (
            f"select 'applied', {SELECTS['ledger'].removeprefix('event_id, ')}",
            f'select {stages}, topic, partition, "offset" from dead_letter',
        ):
            for verdict, topic, partition, offset in self._rows(rows).elements():
                in_order = verdicts[topic, partition]
                taken = offset < len(in_order) and in_order[offset] == "duplicate"
                in_order[offset : offset + 1] = [verdict if taken else f"{verdict} besides"]
        return verdicts

    def owners(self) -> dict[UUID, set[tuple[str, int]]]:
        """Which partitions each worker holds that holds any."""
        held: dict[UUID, set[tuple[str, int]]] = {}
        rows = self._postgres.execute(
            "select owner, topic, partition from checkpoint where grp = %s and owner is not null",
            [self._group],
        )
        for owner, topic, partition in rows:
            held.setdefault(owner, set()).add((topic, partition))
        return held

    def unrelayed(self) -> int:
        """Dead letters that are not in their topic yet."""
        row = self._postgres.execute(
            "select count(*) from dead_letter where not relayed"
        ).fetchone()
        return int(row[0]) if row else 0

    def dead_letters(self) -> Rows:
        """Each letter's place, stage, key and value."""
        return self._rows(
            'select topic, partition, "offset", stage, record_key, record_value from dead_letter'
        )

    def shown(self) -> Rows:
        """What Redis should hold: key, field, stamped payload."""
        return sum((self._shown(table, *keys) for table, keys in SHOWN.items()), Counter())

    def held(self) -> Rows:
        """What Redis holds."""
        keys = list(self._redis.scan_iter("h1:*", count=5_000))
        held: Rows = Counter()
        for start in range(0, len(keys), 2_000):
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys[start : start + 2_000]:
                pipeline.hgetall(key)
            for key, fields in zip(keys[start : start + 2_000], pipeline.execute(), strict=True):
                _, table, _, by = key.decode().split(":", 3)
                for field, value in fields.items():
                    if not value.endswith(b"|"):
                        held[table, by, field.decode(), _stamped(value.decode())] += 1
        return held

    def _shown(self, table: str, by: str, *fields: str) -> Rows:
        names = [name for (name,) in self._postgres.execute(COLUMNS, [table])]
        rest = " || '|' || ".join(f"{name}::text" for name in fields) or "''"
        stamp = "row_version" if "row_version" in names else "1"
        shown = (name for name in names if name not in HIDDEN)
        # kept as text, shown as the JSON that it is
        payload = ", ".join("documents::json" if name == "documents" else name for name in shown)
        rows = self._rows(
            f"select '{table}', {by}::text, {rest},"
            f" {stamp} || '|' || json_build_array({payload}) from {table}"
            f" where {by} is not null"
        )
        return Counter((*row[:3], _stamped(row[3])) for row in rows.elements())

    def _rows(self, statement: str) -> Rows:
        with self._postgres.cursor() as cursor:
            cursor.execute(statement.encode())
            return Counter(tuple(map(_plain, row)) for row in cursor)


def _stamped(value: str) -> tuple[str, str]:
    """Row version and columns; how JSON is spaced says nothing."""
    version, _, payload = value.partition("|")
    return version, json.dumps(json.loads(payload))


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, list):
        return tuple(map(_plain, value))
    return bytes(value) if isinstance(value, memoryview) else value
