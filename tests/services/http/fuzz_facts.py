"""Facts behind the fuzzed processes, and their ids: without these nearly all answers are 404."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import httpx

from schemas.generated.inputs import INPUTS, example
from services.intake.bulk import BulkProducer
from tests.services.identity.weighing import rules
from tests.services.rebuild.road import Road

PROFILE, SKU, LOCATION, TRANSACTION = (
    "7b8d600c-def6-5047-9aba-62b955cf08a7", "4901234567894", "S001",
    "4ec187d8-4749-548c-ab7e-3763a01d111c",
)  # fmt: skip
NAMESAKES = [str(uuid5(NAMESPACE_URL, f"namesake {number}")) for number in range(12)]
TOGETHER = NAMESAKES[-3:]  # staff link them, so that they can be unlinked
SALES = [str(uuid5(NAMESPACE_URL, f"sale {number}")) for number in range(20)]
GUESTS = [str(uuid5(NAMESPACE_URL, f"sale of a guest {number}")) for number in range(60)]
# returns of sales that nobody told: each is a discrepancy
RETURNS = [str(uuid5(NAMESPACE_URL, f"return {number}")) for number in range(60)]
# of what a command ends: a run ends some, and still finds others
OPEN = 60
MANY = 1_000_000_000


def facts() -> list[dict[str, Any]]:
    """The example of every event, then points, units and namesakes in plenty."""
    examples = [_fact(name) for name in INPUTS if name != "SubjectErased"]
    now = datetime.now(UTC)
    lot = example("PointsEarned")["lots"][0] | {
        "lot_id": str(uuid4()), "points": MANY,
        "active_from": (now - timedelta(days=9)).isoformat(),
        "expires_at": (now + timedelta(days=365)).isoformat(),
    }  # fmt: skip
    made = rules("rules of a test")
    namesakes = [
        _fact("ProfileRegistered", profile_id=profile, name="佐藤 健一", identifiers=[])
        for profile in NAMESAKES
    ]
    for each in namesakes:
        for name in ("name_kana", "postcode", "address", "birth_date"):
            each.pop(name, None)
    return [
        *examples,
        _fact("PointsEarned", lots=[lot]),
        _fact("StockReceived", quantity=MANY),
        *(_fact("PurchaseCompleted", transaction_id=sale) for sale in SALES),
        *(_fact("PurchaseCompleted", transaction_id=sale, profile_id=None) for sale in GUESTS),
        *(_fact_of(each, "PurchaseReturned", transaction_id=each) for each in RETURNS),
        _fact("MatchRulesActivated", version=made.version, rules=made.text(),
              valid_from=now.isoformat()),
        *namesakes,
    ]  # fmt: skip


def _fact(name: str, /, **changes: Any) -> dict[str, Any]:
    return _fact_of(str(uuid4()), name, **changes)


def _fact_of(event_id: str, name: str, /, **changes: Any) -> dict[str, Any]:
    event = deepcopy(example(name)) | changes
    event["meta"] |= {"event_id": event_id}
    return event


def _unknown_sale(event_id: str) -> str:
    """The id of the discrepancy that a return of an unknown sale is."""
    return str(UUID(md5(f"unknown_sale|{event_id}|{SKU}|{LOCATION}".encode()).hexdigest()))


def send(road: Road) -> list[str]:
    """Appends them, sealed as producers do; their event ids."""
    told = facts()

    async def append() -> None:
        async with BulkProducer(road.settings) as bulk:
            counts = await bulk.send(told)
            assert not counts.rejected, counts.reasons

    asyncio.run(append())
    return [event["meta"]["event_id"] for event in told]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Ids of what was opened by commands and waits for others."""

    holds: list[str]
    reservations: list[str]
    cases: list[str]


def opened(commands: str, identity: str, token: str) -> Opened:
    """Opens holds and reservations, and links `TOGETHER`; `commands`, `identity`: addresses."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as client:

        def made(url: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = client.post(url, json=body, headers={"Idempotency-Key": uuid4().hex})
            assert answer.status_code in (200, 201), answer.text
            return dict(answer.json())

        hold = {"profile_id": PROFILE, "channel": "STORE", "points": 1_000}
        line = {"sku": SKU, "location_id": LOCATION, "quantity": 2}
        order = {"channel": "EC", "lines": [line]}
        long = {"ttl_seconds": 7 * 86_400}
        holds = [made(f"{commands}/v1/points/holds", hold | long) for _ in range(OPEN)]
        orders = [made(f"{commands}/v1/stock/reservations", order | long) for _ in range(OPEN)]
        for other in TOGETHER[1:]:
            pair = {"profile_id": TOGETHER[0], "other_profile_id": other}
            made(f"{identity}/v1/identity/links", pair | {"actor": "staff", "reason": "asked"})
        cases = client.get(f"{identity}/v1/identity/cases?limit=200").json()["cases"]
        return Opened(
            holds=[hold["hold_id"] for hold in holds],
            reservations=[order["reservation_id"] for order in orders],
            cases=[case["case_id"] for case in cases if case["case_id"]],
        )


def dictionaries(event_ids: list[str], opened: Opened) -> str:
    """The part of schemathesis' configuration that tells it of these ids."""
    profiles = [PROFILE, PROFILE, PROFILE, *NAMESAKES[:2]]
    inquiry = example("InquiryOpened")["inquiry_id"]
    known = {
        "profile": (profiles, ("path.member_id", "body.profile_id", "body.member_id",
                               "query.other", "query.profile_id")),
        "namesake": (NAMESAKES, ("body.other_profile_id",)),
        "sku": ([SKU], ("path.sku", "body.lines[*].sku")),
        "location": ([LOCATION], ("query.location_id", "path.location_id",
                                  "body.lines[*].location_id")),
        "transaction": ([TRANSACTION], ("body.transaction_id", "path.transaction_id")),
        "receipt": ([example("PurchaseCompleted")["receipt_number"]], ("body.receipt_number",)),
        "event": (event_ids[:3], ("path.event_id",)),
        "inquiry": ([inquiry], ("path.inquiry_id",)),
        "problem": (["not-found", "building"], ("path.slug",)),
    }  # fmt: skip
    of_operations: dict[str, tuple[list[Any], tuple[str, ...], tuple[str, ...]]] = {
        "hold": (opened.holds, ("path.id",), ("capturePoints", "releasePoints", "pointsHold")),
        "reservation": (opened.reservations, ("path.id",),
                        ("reservation", "extendStock", "commitStock", "releaseStock")),
        "case": (opened.cases, ("path.id",), ("getCase", "linkCase", "declineCase")),
        "together": (TOGETHER, ("body.profile_id", "body.other_profile_id"), ("unlinkProfiles",)),
        "sale": (SALES, ("body.transaction_id",), ("returnPoints",)),
        "guest": (GUESTS, ("path.id",), ("claimPurchase",)),
        "discrepancy": ([*map(_unknown_sale, RETURNS)], ("path.id",), ("settleDiscrepancy",)),
        "one": ([1], ("body.lines[*].line_no", "body.lines[*].quantity"), ("returnPoints",)),
    }  # fmt: skip
    return "\n".join((*_tables(known), *_of_operations(of_operations)))


def _of_operations(
    known: dict[str, tuple[list[Any], tuple[str, ...], tuple[str, ...]]],
) -> Iterator[str]:
    """Values for some operations alone, which name by `id` what others do not know."""
    bound: dict[tuple[str, ...], dict[str, str]] = {}
    for name, (values, places, operations) in known.items():
        yield f"[dictionaries.{name}]\nvalues = {values!r}"
        bound.setdefault(operations, {}).update(dict.fromkeys(places, name))
    for operations, places_of in bound.items():
        yield f"[[operations]]\ninclude-operation-id = {list(operations)!r}"
        yield "[operations.parameters]"
        for place, name in places_of.items():
            yield f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}'


def _tables(known: dict[str, tuple[list[str], tuple[str, ...]]]) -> Iterator[str]:
    for name, (values, _) in known.items():
        yield f"[dictionaries.{name}]\nvalues = {values!r}"
    yield "[parameters]"
    for name, (_, places) in known.items():
        for place in places:
            yield f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}'
