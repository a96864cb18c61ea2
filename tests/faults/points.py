"""What happens to points? Earned, spent, taken and given back, moved; and a program's rules."""

from __future__ import annotations

import json

from tests.faults.shop import SECOND, T0, Fact, Record, Shop, happens

DAY = 86_400 * SECOND
PROGRAMS, ROUNDINGS = ("main", "staff"), ("floor", "half_up", "ceil")


def earned(shop: Shop, receipt: Record) -> Fact:
    """A lot for each line; some are pending at first, some end."""
    chance, lots = shop.chance, []
    for line in receipt["lines"]:
        lot = {
            "lot_id": chance.randbytes(16), "points": line["net_paid"] // 100,
            "line_no": line["line_no"],
            "active_from": shop.now + 7 * DAY if chance.random() < 0.2 else None,
            "expires_at": shop.now + 365 * DAY if chance.random() < 0.5 else None,
        }  # fmt: skip
        lots.append(lot)
        shop.lots.append((receipt["profile_id"], lot["lot_id"]))
    record = {
        **shop.shares(receipt), "profile_id": receipt["profile_id"],
        "transaction_id": receipt["transaction_id"], "lots": lots,
        "rule_version": "1" if chance.random() < 0.3 else None,
        **_named(sum(lot["points"] for lot in lots)), **_converted(len(lots)),
    }  # fmt: skip
    return "PointsEarned", record


def _named(points: int) -> Record:
    """Some events name their program; the others mean the default one."""
    return {"program_id": "staff"} if points % 4 == 1 else {}


def _converted(lines: int) -> Record:
    """Some sales are in another currency than the program, with a rate or without."""
    rate = {1: None, 2: "150.25"}
    return {"currency": "USD", "rate": rate[lines]} if lines in rate else {}


def spent(shop: Shop, receipt: Record) -> Fact:
    """A redemption; some name lots, some of those are another profile's."""
    points = shop.chance.randint(1, 500)
    record = {
        **shop.shares(receipt), "profile_id": receipt["profile_id"], "points": points,
        "transaction_id": receipt["transaction_id"] if shop.chance.random() < 0.5 else None,
        "allocations": _allocations(shop, receipt["profile_id"], points), **_named(points),
    }  # fmt: skip
    return "PointsRedeemed", record


def corrected(shop: Shop, receipt: Record, meta: Record) -> Fact:
    """Goods came back: what they earned is taken back, or what they cost is given back."""
    chance, owner = shop.chance, receipt["profile_id"]
    points = chance.randint(1, 9)
    record: Record = {
        **shop.shares(meta), "profile_id": owner, "points": points,
        "transaction_id": receipt["transaction_id"] if chance.random() < 0.8 else None,
        "allocations": _allocations(shop, owner, points), **_named(points),
    }  # fmt: skip
    if chance.random() < 0.5:
        return "PointsReversed", record
    record["expires_at"] = shop.now + 30 * DAY if chance.random() < 0.4 else None
    return "PointsReinstated", record


def _allocations(shop: Shop, owner: bytes, points: int) -> list[Record]:
    """Nothing, a part or all of the points, of one lot or two."""
    chance, found, rest = shop.chance, list[Record](), points
    for _ in range(chance.choice((0, 0, 1, 2))):
        if not rest or not shop.lots:
            break
        whose, lot_id = chance.choice(shop.lots[-500:])
        part = rest if chance.random() < 0.3 else chance.randint(1, rest)
        rest -= part
        who = whose if chance.random() < 0.3 else owner
        found.append({"profile_id": who, "lot_id": lot_id, "points": part})
    return found


@happens(2)
def correction_of_points(shop: Shop) -> list[Fact]:
    """Goodwill, a lot that is over, a gift; of a lot that is named as often as not."""
    chance, owner = shop.chance, shop.person()
    points = chance.randint(1, 90)
    lot_id = chance.choice(shop.lots)[1] if shop.lots else chance.randbytes(16)
    common = {
        **shop.meta("CALL_CENTRE"), "profile_id": owner, "points": points, **_named(points)
    }  # fmt: skip
    name = chance.choice(["PointsAdjusted", "PointsExpired", "PointsTransferred"])
    more: dict[str, Record] = {
        "PointsAdjusted": {
            "points": chance.randint(-90, 90), "reason": "goodwill",
            "lot_id": lot_id if chance.random() < 0.4 else None,
            "expires_at": shop.now + 90 * DAY if chance.random() < 0.4 else None,
        },
        "PointsExpired": {"lot_id": lot_id, "expired_on": 20_000},
        "PointsTransferred": {
            "to_profile_id": shop.person(), "reason": "family",
            "allocations": _allocations(shop, owner, points),
        },
    }  # fmt: skip
    return [(name, {**common, **more[name]})]


@happens(0.5)
def older_balance(shop: Shop) -> list[Fact]:
    """A balance of an older system, which is told once for a profile and program."""
    chance = shop.chance
    lots = [
        {
            "points": chance.randint(1, 900),
            "active_from": shop.now + DAY if chance.random() < 0.2 else None,
            "expires_at": shop.now + 60 * DAY if chance.random() < 0.7 else None,
        }
        for _ in range(chance.randint(1, 3))
    ]
    record = {
        **shop.meta("OTHER"), "profile_id": shop.person(), "lots": lots,
        "program_id": f"old-{chance.randbytes(6).hex()}",
    }  # fmt: skip
    return [("BalanceOpened", record)]


@happens(0.5)
def membership(shop: Shop) -> list[Fact]:
    """Somebody joins a program, or leaves it."""
    name = shop.chance.choice(("ProgramJoined", "ProgramJoined", "ProgramLeft"))
    program_id = shop.chance.choice(PROGRAMS)
    record = {**shop.meta("STORE"), "profile_id": shop.person(), "program_id": program_id}
    return [(name, record)]


def program(shop: Shop) -> Fact:
    """Rules of a program: of a few times of validity, so that some are said again.

    Producers give its points, and they are told here: under other rules no door would take them.
    """
    chance = shop.chance
    rules = {"earn": [{"points": 1, "per": 100}], "rounding": chance.choice(ROUNDINGS)}
    record = {
        **shop.meta("HEAD_OFFICE"), "program_id": chance.choice(PROGRAMS),
        "version": str(chance.randint(1, 9)), "accrual": "PRODUCER",
        "rules": json.dumps(rules), "valid_from": T0 + chance.randint(0, 3) * DAY,
    }  # fmt: skip
    return "ProgramRulesSet", record


@happens(0.5)
def rules_again(shop: Shop) -> list[Fact]:
    """Sometimes twice at one instant."""
    return [program(shop) for _ in range(shop.chance.choice((1, 1, 2)))]
