"""Facts behind the fuzzed processes, and their ids: without these nearly all answers are 404."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from schemas.generated.inputs import INPUTS, example
from services.intake.bulk import BulkProducer
from tests.services.identity.weighing import rules
from tests.services.rebuild.road import Road

PROFILE, SKU, LOCATION, TRANSACTION = (
    "7b8d600c-def6-5047-9aba-62b955cf08a7", "4901234567894", "S001",
    "4ec187d8-4749-548c-ab7e-3763a01d111c",
)  # fmt: skip
NAMESAKES = [str(uuid5(NAMESPACE_URL, f"namesake {number}")) for number in range(12)]
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
        _fact("MatchRulesActivated", version=made.version, rules=made.text(),
              valid_from=now.isoformat()),
        *namesakes,
    ]  # fmt: skip


def _fact(name: str, /, **changes: Any) -> dict[str, Any]:
    event = deepcopy(example(name)) | changes
    event["meta"] |= {"event_id": str(uuid4())}
    return event


def send(road: Road) -> list[str]:
    """Appends them, sealed as producers do; their event ids."""
    told = facts()

    async def append() -> None:
        async with BulkProducer(road.settings) as bulk:
            counts = await bulk.send(told)
            assert not counts.rejected, counts.reasons

    asyncio.run(append())
    return [event["meta"]["event_id"] for event in told]


def dictionaries(event_ids: list[str]) -> str:
    """The part of schemathesis' configuration that tells it of these ids."""
    profiles = [PROFILE, PROFILE, PROFILE, *NAMESAKES[:2]]
    inquiry = example("InquiryOpened")["inquiry_id"]
    known = {
        "profile": (profiles, ("path.member_id", "body.profile_id", "body.member_id",
                               "query.other", "query.profile_id")),
        "namesake": (NAMESAKES, ("body.other_profile_id",)),
        "sku": ([SKU], ("path.sku", "body.lines[*].sku")),
        "location": ([LOCATION], ("query.location_id", "body.lines[*].location_id")),
        "transaction": ([TRANSACTION], ("body.transaction_id",)),
        "event": (event_ids[:3], ("path.event_id",)),
        "inquiry": ([inquiry], ("path.inquiry_id",)),
        "problem": (["not-found", "building"], ("path.slug",)),
    }  # fmt: skip
    return "\n".join(_tables(known))


def _tables(known: dict[str, tuple[list[str], tuple[str, ...]]]) -> Iterator[str]:
    for name, (values, _) in known.items():
        yield f"[dictionaries.{name}]\nvalues = {values!r}"
    yield "[parameters]"
    for name, (_, places) in known.items():
        for place in places:
            yield f'"{place}" = {{ dictionary = "{name}", probability = 0.8 }}'
