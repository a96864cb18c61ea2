"""What customers do that says who they are: enrol, are seen, are linked, are erased."""

from __future__ import annotations

import json
from hashlib import blake2b

from tests.faults.shop import T0, Fact, Record, Shop, happens

DAY = 86_400_000_000
VERSIONS = ["default", "m1", "m2"]


def _index(kind: str, number: int) -> bytes:
    return blake2b(f"{kind} {number}".encode(), digest_size=16).digest()


def _identifier(shop: Shop, kind: str, number: int) -> Record:
    return {
        "kind": kind, "value": shop.chance.randbytes(20), "value_index": _index(kind, number),
        "verified": shop.chance.random() < 0.9,
    }  # fmt: skip


def _of(shop: Shop, profile: bytes) -> list[Record]:
    """A person has two profiles or so; telephones are shared, one of them by a whole office."""
    number = shop.numbers[profile]
    person, store = number // 2, number % 2 == 0
    found = [_identifier(shop, "card" if store else "account", number)]
    if shop.chance.random() < 0.7:
        found.append(_identifier(shop, "email", person))
    if shop.chance.random() < 0.5:
        found.append(_identifier(shop, "phone", person // 2))
    if shop.chance.random() < 0.01:
        found.append(_identifier(shop, "phone", -1 - number % 5))
    return found


@happens(3)
def enrolment(shop: Shop) -> list[Fact]:
    profile = shop.person()
    sealed = shop.chance.randbytes(30)
    record = {
        **shop.meta("STORE"), "profile_id": profile, "source_system": "pos",
        "registered_at": shop.now, "identifiers": _of(shop, profile), "name": sealed,
        "postcode": sealed,
        "postcode_index": _index("postcode", shop.numbers[profile] % 50),
    }  # fmt: skip
    return [("ProfileRegistered", record)]


@happens(2)
def more_known(shop: Shop) -> list[Fact]:
    profile = shop.person()
    common = {**shop.meta("EC"), "profile_id": profile}
    # told late: what was first seen when may still change, and a newer value stays
    common["meta"]["occurred_at"] -= shop.chance.choice([0, 0, 1, 2, 5]) * DAY
    if shop.chance.random() < 0.5:
        one = shop.chance.choice(_of(shop, profile))
        return [("IdentifierObserved", {**common, "identifier": one})]
    change = {
        "address": shop.chance.randbytes(30),
        "cleared": shop.chance.choice([[], ["name"], ["postcode"]]),
    }
    return [("ProfileUpdated", {**common, **change})]


@happens(0.4)
def decision(shop: Shop) -> list[Fact]:
    """Somebody links two profiles, or keeps them apart."""
    one = shop.person()
    # neighbours: at random, everybody would become one person sooner or later
    number = shop.numbers[one] + shop.chance.randint(1, 5)
    other = shop.people[number % len(shop.people)]
    by = shop.chance.choice(["RULE", "PERSON"])
    common = {
        **shop.meta("CALL_CENTRE"), "profile_id": one, "other_profile_id": other,
        "decided_by": by, "actor": "aki" if by == "PERSON" else None,
        "rule_version": shop.chance.choice(VERSIONS) if by == "RULE" else None,
    }  # fmt: skip
    name = shop.chance.choice(
        ["ProfilesLinked", "ProfilesLinked", "ProfilesUnlinked", "LinkDeclined"]
    )
    if name != "ProfilesUnlinked":
        common["evidence"] = [f"name {shop.chance.randint(1, 3)}"]
    if name == "ProfilesLinked":
        common["weight"] = shop.chance.choice([None, 9.5, 20.25])
    return [(name, {**common, "link_id": shop.chance.randbytes(16)})]


@happens(0.06)
def rules_of_identity(shop: Shop) -> list[Fact]:
    """Other rules, or the same ones said again; everybody is grouped by the newest.

    The first are of the set that groups people, so that every log leaves rules in the table.
    """
    kinds = {
        "card": {"class": "unique"},
        "account": {"class": shop.chance.choice(["unique", "strong"])},
        "email": {"class": "strong", "blocked": [_index("email", 7).hex()]},
        "phone": {
            "class": shop.chance.choice(["strong", "strong", "weak"]),
            "limit": shop.chance.choice([2, 3, 10]),
            "window_days": shop.chance.choice([None, 1, 3]),
        },
    }
    rules = {"identifiers": kinds, "survivorship": {"sources": ["pos", "ec"]}}
    rule_set = shop.chance.choice(["identity", "identity", "other"])
    if not shop.has_identity_rules:
        rule_set, shop.has_identity_rules = "identity", True
    record = {
        **shop.meta("HEAD_OFFICE"),
        "rule_set": rule_set,
        "version": shop.chance.choice(VERSIONS), "rules": json.dumps(rules),
        "valid_from": T0 + shop.chance.randint(0, 2) * DAY,
    }  # fmt: skip
    return [("MatchRulesActivated", record)]


@happens(0.2)
def erasure(shop: Shop) -> list[Fact]:
    return [("SubjectErased", {**shop.meta("CALL_CENTRE"), "profile_id": shop.person()})]
