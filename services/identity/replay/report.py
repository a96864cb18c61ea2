"""Formats a replay's result: JSON for programs, text for people. Ids and weights, never names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from services.identity.pairs import Pair, RuleDecision
from services.identity.replay.difference import Part
from services.identity.replay.effects import CustomerEffects
from services.identity.replay.run import Replayed

SHOWN_MAX = 100


def plain(found: Replayed) -> dict[str, Any]:
    """The object that `--json` prints."""
    return {
        "version": found.version,
        "position": {f"commerce.members-{n}": at for n, at in enumerate(found.positions)},
        "profiles": found.profiles,
        "links": found.links,
        "cases": found.cases,
        "splits": [
            {"profile_ids": _ids(one.member), "into": [_ids(part) for part in one.into]}
            for one in found.difference.splits
        ],
        "joins": [
            {
                "profile_ids": _ids(one.member),
                "parts": [_ids(part) for part in one.parts],
                "links": [_link(pair, link) for pair, link in one.links],
                "shared_identifiers": list(one.shared),
            }
            for one in found.difference.joins
        ],
        "moves": [_moves(one) for one in found.moves],
        "switched": found.switched,
    }


def lines(found: Replayed) -> Iterator[str]:
    """The lines of the text report; at most 100 splits, joins and effects each."""
    difference = found.difference
    for split in difference.splits[:SHOWN_MAX]:
        yield f"splits  {_text(split.member)}"
        for part in split.into:
            yield f"        into {_text(part)}"
    for join in difference.joins[:SHOWN_MAX]:
        yield f"joins   {_text(join.member)}"
        for pair, link in join.links:
            ids = " + ".join(_ids(pair))
            yield f"        {ids}: {link.weight:.1f} bits, {', '.join(link.evidence)}"
        if join.shared:
            yield f"        by the same {', '.join(join.shared)}"
    for move in found.moves[:SHOWN_MAX]:
        yield from _moved(move)
    yield (
        f"{found.profiles:,} profiles, {found.links:,} links, {found.cases:,} cases under"
        f" {found.version}: {len(difference.splits):,} members split,"
        f" {len(difference.joins):,} join"
    )
    what = "the rules are in force" if found.switched else "nothing was changed"
    yield f"{what}; --json prints all of it"


def _moved(move: CustomerEffects) -> Iterator[str]:
    before = ", ".join(f"{points:,}" for points in move.points_before.values())
    after = ", ".join(f"{points:,}" for points in move.points_after.values())
    if any(move.points_before.values()) or any(move.points_after.values()):
        yield f"points  {before} would be {after} ({_text(move.profiles)})"
    for word, items in (("hidden", move.suppressed), ("shown", move.released)):
        for profile_id, item in items:
            yield f"{word:<7} {item} to {profile_id}"


def _moves(move: CustomerEffects) -> dict[str, Any]:
    return {
        "profile_ids": _ids(move.profiles),
        "points_before": {str(one): points for one, points in move.points_before.items()},
        "points_after": {str(one): points for one, points in move.points_after.items()},
        "suppressed": [{"profile_id": str(one), "sku": sku} for one, sku in move.suppressed],
        "released": [{"profile_id": str(one), "sku": sku} for one, sku in move.released],
    }


def _link(pair: Pair, link: RuleDecision) -> dict[str, Any]:
    return {"profile_ids": _ids(pair), "weight": link.weight, "evidence": list(link.evidence)}


def _ids(profiles: Part | Pair) -> list[str]:
    return [str(UUID(bytes=one)) for one in sorted(profiles)]


def _text(profiles: Part) -> str:
    return ", ".join(_ids(profiles))
