"""Entries: what was earned and what became of it, lot by lot; what one profile spent of another's;
and the program's rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID, uuid5

Row = tuple[Any, ...]
# the kinds of entries that take points from lots, by the fact
TAKING = {
    "PointsRedeemed": "redeemed",
    "PointsReversed": "reversed",
    "PointsTransferred": "transferred",
}


def tables(events: list[Any]) -> dict[str, Iterable[Row]]:
    return {
        "point_entry": list(_entries(events)),
        "points_across": list(_across(events)),
        "program_rules": _rules(events),
        "program_membership": list(_memberships(events)),
    }


def _across(events: list[Any]) -> Iterator[Row]:
    for _, name, event in events:
        who, at = event.get("profile_id"), event["meta"]["occurred_at"]
        found: list[tuple[bytes, str, int, bytes | None]] = []
        if name in ("PointsRedeemed", "PointsReinstated"):
            sign, kind = (1, "redeemed") if name == "PointsRedeemed" else (-1, "reinstated")
            for one in event["allocations"]:
                if one["profile_id"] != who:
                    sale = event["transaction_id"]
                    found.append((one["profile_id"], kind, sign * one["points"], sale))
        elif name == "PointsTransferred":
            found.append((event["to_profile_id"], "transferred", -event["points"], None))
        for number, (owner, kind, points, sale) in enumerate(found):
            key = (event["meta"]["event_id"], number)
            yield (*key, who, owner, kind, points, at, sale, event["program_id"])


def _memberships(events: list[Any]) -> Iterator[Row]:
    for _, name, event in events:
        if name in ("ProgramJoined", "ProgramLeft"):
            meta = event["meta"]
            yield (
                meta["event_id"], 0, event["profile_id"], event["program_id"],
                name == "ProgramJoined", meta["occurred_at"],
            )  # fmt: skip


def _entries(events: list[Any]) -> Iterator[Row]:
    for _, name, event in events:
        if name.startswith("Points") or name == "BalanceOpened":
            money = [event[one] for one in ("currency", "rate") if event.get(one) is not None]
            foreign = " ".join(money) or None
            for number, row in enumerate(_moves(name, event)):
                key = (event["meta"]["event_id"], number)
                yield (*key, *row, event["program_id"], foreign)


def _moves(name: str, event: Any) -> Iterator[Row]:
    at, who = event["meta"]["occurred_at"], event["profile_id"]
    named = event.get("allocations") or []
    rest = event.get("points", 0) - sum(one["points"] for one in named)
    sale = event.get("transaction_id")
    if name == "PointsEarned":
        for lot in event["lots"]:
            yield (
                who, lot["lot_id"], "earned", lot["points"], at, lot["active_from"],
                lot["expires_at"], sale, lot["line_no"], None, event["rule_version"],
            )  # fmt: skip
    elif name == "BalanceOpened":
        name_of = UUID(bytes=event["meta"]["event_id"])
        for number, lot in enumerate(event["lots"]):
            yield (
                who, uuid5(name_of, f"lot {number}").bytes, "opened", lot["points"], at,
                lot["active_from"], lot["expires_at"], None, None, None, None,
            )  # fmt: skip
    elif name == "PointsExpired":
        yield _row(who, event["lot_id"], "expired", -event["points"], at)
    elif name == "PointsAdjusted":
        made = event["meta"]["event_id"] if event["points"] > 0 else None
        lot_id = event["lot_id"] if event["lot_id"] is not None else made
        yield _row(who, lot_id, "adjusted", event["points"], at, until=event["expires_at"])
    elif name == "PointsReinstated":
        until = event["expires_at"]
        for one in named:
            again = uuid5(UUID(bytes=event["meta"]["event_id"]), one["lot_id"].hex()).bytes
            lot_id = one["lot_id"] if until is None else again
            yield _row(one["profile_id"], lot_id, "reinstated", one["points"], at, sale, until)
        if rest:
            yield _row(who, None, "reinstated", rest, at, sale, until)
    else:
        for one in named:
            yield _row(one["profile_id"], one["lot_id"], TAKING[name], -one["points"], at, sale)
        if rest:
            till = event["meta"]["producer"]
            where = None
            if till["terminal_id"]:
                where = (till["store_id"] or "") + "/" + till["terminal_id"]
            yield _row(who, None, TAKING[name], -rest, at, sale, where=where)
    if name == "PointsTransferred":
        for one in named:
            yield _row(event["to_profile_id"], one["lot_id"], "received", one["points"], at)
        if rest:
            made = event["meta"]["event_id"]
            yield _row(event["to_profile_id"], made, "received", rest, at)


def _row(
    who: bytes, lot_id: bytes | None, kind: str, points: int, at: int, sale: bytes | None = None,
    until: int | None = None, where: str | None = None,
) -> Row:  # fmt: skip
    return (who, lot_id, kind, points, at, None, until, sale, None, where, None)


def _rules(events: list[Any]) -> list[Row]:
    """For each version the words that were set last; of two at once the greater word."""
    found: dict[tuple[str, int], dict[str, tuple[int, str]]] = {}
    for _, name, event in events:
        if name != "ProgramRulesSet":
            continue
        at, words = event["meta"]["occurred_at"], found.setdefault(
            (event["program_id"], event["valid_from"]), {}
        )  # fmt: skip
        for column in ("version", "accrual", "rules"):
            words[column] = max(words.get(column, (at, event[column])), (at, event[column]))
    return [
        (
            *key,
            max(at for at, _ in words.values()),
            *(words[c][1] for c in ("version", "accrual", "rules")),
        )
        for key, words in found.items()
    ]
