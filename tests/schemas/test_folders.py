"""A topic is a folder: what it needs is said in it, and what is forgotten there is found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.declarations import sources
from schemas.tools import folders, generate
from schemas.topics import TOPIC_OF, former_key_fields, key_fields, topics_in
from tests.schemas.homes import copy

# Keys decide the order of facts for ever: a change here moves records to another partition.
KEYS = {
    "terminals": ("location_id/terminal_id",),
    "purchases": ("transaction_id",),
    "points": ("profile_id",),
    "inventory": ("sku",),
    "inquiries": ("profile_id", "inquiry_id"),
    "members": ("profile_id",),
    "contacts": ("profile_id",),
    "dead-letters": ("source_topic", "source_partition"),
}
FORMER_KEYS = {"commerce.purchases": (("profile_id", "transaction_id"),)}
OWN_KEYS = {
    "PurchaseAttributed": ("transaction_id",),
    "ItemDescribed": ("sku",),
    "LocationDescribed": ("location_id",),
    "StockPolicySet": ("sku", "location_id"),
    "NeedPolicySet": ("policy_id", "sku"),
    "ProgramRulesSet": ("program_id",),
    "MatchRulesActivated": ("rule_set",),
    "DiscrepancySettled": ("discrepancy_id",),
}
EVENT = "contacts/coupon_used.avsc"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return copy(tmp_path)


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_no_event_changed_its_key() -> None:
    assert len(TOPIC_OF) == len([s for s in sources().values() if "may_append" in s])
    for name, topic in TOPIC_OF.items():
        asked = OWN_KEYS.get(name) or KEYS[topic.name.removeprefix("commerce.")]
        assert key_fields(name) == asked, name
        former = () if name in OWN_KEYS else FORMER_KEYS.get(topic.name, ())
        assert former_key_fields(name) == former, name


def test_a_record_with_an_envelope_and_no_topic_is_refused(home: Path) -> None:
    (home / "contracts" / EVENT).rename(home / "types" / "coupon_used.avsc")
    assert folders.check(home) == [
        "CouponUsed: has a meta field, so it is an event: move it to a topic's folder"
    ]
    assert set(folders.check(home)) <= set(generate.problems(home))


def test_a_folder_of_events_without_topic_json_is_refused(home: Path) -> None:
    folder = home / "contracts" / "coupons"
    folder.mkdir()
    (home / "contracts" / EVENT).rename(folder / "coupon_used.avsc")
    complaint = "contracts/coupons: has events but no topic.json"
    assert folders.check(home) == [complaint]
    (home / "contracts" / "contacts" / "topic.json").rename(folder / "topic.json")
    assert folders.check(home) == [complaint.replace("coupons", "contacts")]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda s: s.pop("may_append"), "does not declare who may append it"),
        (lambda s: s["may_append"].pop("roles"), "does not declare who may append it"),
        (lambda s: s["may_append"]["roles"].append("king"), "the role king, which does not exist"),
        (lambda s: s["may_append"].update(owns=["sku"]), "may_append has no attribute owns"),
        (lambda s: s["may_append"].update(own=["shop_id"]), "own names shop_id, which is not a"),
        (
            lambda s: s.update(key=["shop_id"]),
            "its key names shop_id, which is not a field of the event",
        ),
        (lambda s: s.update(key=[]), "neither the event nor its topic declares a key"),
    ],
)
def test_an_event_that_forgets_something_is_named(
    home: Path, change: Callable[[dict[str, Any]], object], complaint: str
) -> None:
    _change(home / "contracts" / EVENT, change)
    (found,) = folders.check(home)
    assert found.startswith("CouponUsed: ")
    assert complaint in found


@pytest.mark.parametrize(
    ("former", "complaint"),
    [
        ("profile_id", "former_keys is no list of keys"),
        ([[]], "former_keys is no list of keys"),
        ([["profile_id"]], "former_keys names the present key"),
        ([["shop_id"]], "a former key names shop_id, of which it has no field"),
    ],
)
def test_former_keys_that_cannot_have_been_are_named(
    home: Path, former: Any, complaint: str
) -> None:
    path = home / "contracts" / "contacts" / "topic.json"
    _change(path, lambda topic: topic.update(former_keys=former))
    assert f"CouponUsed: {complaint}" in folders.check(home)


@pytest.mark.parametrize("attribute", ["name", "doc", "partitions"])
def test_a_topic_that_forgets_something_is_named(home: Path, attribute: str) -> None:
    _change(home / "contracts" / "contacts" / "topic.json", lambda said: said.pop(attribute))
    (found,) = folders.check(home)
    assert found.startswith(f"contracts/contacts/topic.json: {attribute} is missing")


def test_an_event_in_two_topics_is_refused(home: Path) -> None:
    event = home / "contracts" / EVENT
    (home / "contracts" / "points" / event.name).write_text(event.read_text("utf-8"), "utf-8")
    assert "CouponUsed: is in more than one topic" in folders.check(home)


def test_what_is_no_json_is_named_by_its_file(home: Path) -> None:
    (home / "contracts" / "contacts" / "topic.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"contacts.topic\.json: is not JSON"):
        list(topics_in(home / "contracts"))
