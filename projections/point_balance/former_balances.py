"""Compares the balances of points in the tables with those recomputed from the log in an upgrade.

An upgrade must not change balances. To show this, each upgrade folds the entries from the log
beside the table, and compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from projections.core.comparison import (
    TIME_PUT_RIGHT,
    ChangedAnswer,
    ResponsibleDocument,
    event_type,
)
from projections.point_balance import projection
from projections.point_balance.account import account, lots_and_draws

FORMER = ("point_entry",)
DOCUMENTS_MAX = 20
TIMES = ("at", "active_from", "expires_at")
VALUES = (
    "profile_id", "lot_id", "kind", "points", "transaction_id", "line_no", "terminal",
    "rule_version", *TIMES,
)  # fmt: skip
COMPARED = "select count(distinct profile_id) from {live}.point_entry"
_COLUMNS = ", ".join(f"{{0}}.{name}" for name in VALUES)
CANDIDATES = f"""
with differing as (
    select event_id, coalesce(l.profile_id, s.profile_id) as profile_id,
        to_jsonb(l) as before, to_jsonb(s) as after
    from {{live}}.point_entry l full join {{shadow}}.point_entry s using (event_id, number)
    where ({_COLUMNS.format("l")}) is distinct from ({_COLUMNS.format("s")})
), documents as (
    select d.profile_id, jsonb_agg(jsonb_build_object('event_id', d.event_id,
        'schema_id', l.schema_id, 'before', d.before, 'after', d.after) order by d.event_id)
        as documents
    from differing d left join {{live}}.ledger l using (event_id) group by 1
)
select d.profile_id, d.documents, (extract(epoch from now()) * 1000000)::bigint as now,
    (select jsonb_agg(to_jsonb(e)) from {{live}}.point_entry e
        where e.profile_id = d.profile_id) as before,
    (select jsonb_agg(to_jsonb(e)) from {{shadow}}.point_entry e
        where e.profile_id = d.profile_id) as after
from documents d order by 1
"""


def changed_balance(row: Mapping[str, Any]) -> Iterator[ChangedAnswer]:
    """The balance of a profile, if its entries differ in a way that changes it."""
    before, after = (_balance(row[side], row["now"]) for side in ("before", "after"))
    if before == after:
        return
    documents = {
        one["event_id"]: ResponsibleDocument(
            one["event_id"], event_type(one["schema_id"]), _reason(one)
        )
        for one in row["documents"]
    }
    listed = tuple(documents.values())[:DOCUMENTS_MAX]
    key = {"profile_id": str(row["profile_id"])}
    yield ChangedAnswer(key, before, after, listed, len(documents))


def _balance(entries: list[Mapping[str, Any]] | None, at: int) -> dict[str, int] | None:
    if not entries:
        return None
    found = account(*lots_and_draws(entries), at, {})
    return {"balance": found.balance, "pending": found.pending, "debt": found.debt}


def _reason(entry: Mapping[str, Any]) -> str:
    before, after = entry["before"], entry["after"]
    if before is None:
        return "missing"
    if after is None:
        return "surplus"
    same = all(before[name] == after[name] for name in VALUES if name not in TIMES)
    return TIME_PUT_RIGHT if same else "other"


projection.compares(
    "balances", changed_balance, former=FORMER, compared=COMPARED, candidates=CANDIDATES,
    unbuilt=True,
)  # fmt: skip
