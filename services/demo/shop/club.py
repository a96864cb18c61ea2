"""The second points program: its rules, and who joins it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from services.demo.shop import names
from services.demo.shop.names import Json
from services.demo.shop.rows import Rows

CLUB, DEFAULT = "club", "hitotsu-points"
MEMBER_EVERY = 10
_BEGINS = datetime(2001, 1, 1, tzinfo=names.JST)
_RULES = {
    "earn": [
        {"categories": ["Books", "Music"], "points": 2, "per": 1_000},
        {"points": 1, "per": 1_000},
    ],
    "earn_on_points_paid": True,
    "excluded_kinds": ["SHIPPING"],
    "return_policy": "go_negative",
}


def club(rows: Rows) -> Iterator[Json]:
    """The club's rules, and its members, each with both profiles."""
    yield {
        "type": "ProgramRulesSet",
        "meta": _meta("ProgramRulesSet", CLUB),
        "program_id": CLUB,
        "version": "club-1",
        "accrual": "RULES",
        "rules": json.dumps(_RULES),
        "valid_from": names.instant(_BEGINS),
    }
    for (customer,) in rows.stream(
        "SELECT c_customer_sk FROM shop.customer WHERE c_customer_sk % $1 = 0 ORDER BY 1",
        MEMBER_EVERY,
    ):
        for system in (names.POS, names.EC):
            for program in (DEFAULT, CLUB):
                yield {
                    "type": "ProgramJoined",
                    "meta": _meta("ProgramJoined", system, customer, program),
                    "profile_id": names.profile(system, customer),
                    "program_id": program,
                }


def _meta(*what: object) -> Json:
    return names.meta(names.HEAD_OFFICE, names.demo_id(*what), _BEGINS)
