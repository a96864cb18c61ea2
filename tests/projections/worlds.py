"""Small worlds in which everything collides: what is observed, found and decided of few people."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import strategies as st

from schemas.generated.events import (
    Event,
    IdentifierObserved,
    LinkDeclined,
    MatchRulesActivated,
    ProfileRegistered,
    ProfilesLinked,
    ProfilesUnlinked,
    SubjectErased,
)
from schemas.generated.events.parts import Identifier, Meta, Producer

T0, HOUR = 1_750_000_000_000_000, 3_600_000_000
VERSIONS = ("default", "a", "b")
KINDS = ("card", "account", "email", "phone", "device")
Chance = random.Random


def profile(number: int) -> bytes:
    return b"profile".ljust(15, b"\0") + bytes([number])


def index(kind: str, number: int) -> bytes:
    return kind.encode().ljust(15, b"\0") + bytes([number])


def _meta(chance: Chance, number: int) -> Meta:
    event_id = b"event".ljust(12, b"\0") + number.to_bytes(4, "big")
    return Meta(
        event_id=event_id,
        occurred_at=T0 + chance.randint(0, 100) * HOUR,
        producer=Producer(system="pos", channel="STORE"),
    )


def _identifier(chance: Chance, values: int) -> Identifier:
    kind = chance.choice(KINDS)
    return Identifier(
        kind=kind,
        value=b"sealed",
        value_index=index(kind, chance.randrange(values)),
        verified=chance.random() < 0.8,
    )


def _rules(chance: Chance) -> str:
    def strong() -> dict[str, Any]:
        blocked = [index("email", 0).hex()] if chance.random() < 0.3 else []
        return {
            "class": chance.choice(["strong", "strong", "weak"]),
            "limit": chance.randint(1, 4), "window_days": chance.choice([None, 1, 3]),
            "blocked": blocked,
        }  # fmt: skip

    kinds = {"card": {"class": "unique", "limit": chance.choice([1, 3, 10])}, "phone": strong()}
    kinds |= {"account": {"class": "unique"}, "email": strong(), "device": strong()}
    return json.dumps({"identifiers": kinds})


def happening(chance: Chance, number: int, people: int, values: int) -> Event:
    """One fact of a world."""
    meta, drawn = _meta(chance, number), chance.random()
    one, other = (profile(chance.randrange(people)) for _ in range(2))
    if drawn < 0.3:
        known = [_identifier(chance, values) for _ in range(chance.randint(0, 3))]
        return ProfileRegistered(
            meta=meta,
            profile_id=one,
            source_system="pos",
            registered_at=T0 - one[-1] * 7 % 5,
            identifiers=known,
        )
    if drawn < 0.65:
        return IdentifierObserved(meta=meta, profile_id=one, identifier=_identifier(chance, values))
    if drawn < 0.7:
        return MatchRulesActivated(
            meta=meta,
            rule_set="identity",
            version=chance.choice(VERSIONS),
            rules=_rules(chance),
            valid_from=T0 + chance.randint(0, 60),
        )
    if drawn < 0.72:
        return SubjectErased(meta=meta, profile_id=one)
    by = chance.choice(["PERSON", "RULE"])
    version = chance.choice(VERSIONS) if by == "RULE" else None
    if drawn < 0.9:
        return ProfilesLinked(
            meta=meta,
            link_id=meta.event_id,
            profile_id=one,
            other_profile_id=other,
            decided_by=by,
            rule_version=version,
        )
    kind = chance.choice([LinkDeclined, ProfilesUnlinked])
    return kind(
        meta=meta, profile_id=one, other_profile_id=other, decided_by=by, rule_version=version
    )


def _world(people: int, values: int, many: int, seed: int) -> list[Event]:
    chance = Chance(seed)
    return [happening(chance, number, people, values) for number in range(many)]


def worlds(most: int = 60, least: int = 1) -> st.SearchStrategy[list[Event]]:
    """Facts of few people with few values, so that nearly everybody is connected somehow."""
    return st.builds(
        _world,
        st.integers(2, 9),
        st.integers(1, 5),
        st.integers(least, most),
        st.integers(0, 1 << 32),
    )
