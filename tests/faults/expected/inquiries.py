"""Inquiries and what was said in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

SAID = {"InquiryOpened": "CUSTOMER", "InquiryMessageAdded": None, "InquiryAnswered": "STAFF"}


def tables(events: list[Any], erased: set[bytes]) -> dict[str, Iterable[tuple[Any, ...]]]:
    about: dict[bytes, list[tuple[str, Any]]] = defaultdict(list)
    said = []
    for _, name, event in events:
        if not name.startswith("Inquiry"):
            continue
        about[event["inquiry_id"]].append((name, event))
        if name in SAID:
            subject = event["profile_id"] or event["inquiry_id"]
            said.append(
                (
                    event["meta"]["event_id"], event["inquiry_id"], subject,
                    event["meta"]["occurred_at"], SAID[name] or event["author"],
                    None if subject in erased else event["text"],
                )
            )  # fmt: skip
    for inquiry in {other for _, other in _merges(events)} - set(about):
        about[inquiry] = []  # it is known that others are part of it
    return {
        "inquiry": list(_inquiries(about)),
        "inquiry_merge": list(_merged(events)),
        "inquiry_message": said,
    }


def _inquiries(about: dict[bytes, list[tuple[str, Any]]]) -> Iterator[tuple[Any, ...]]:
    for inquiry, happened in about.items():
        opened = [event for name, event in happened if name == "InquiryOpened"]
        by_channel = [(_at(event), event["meta"]["producer"]["channel"]) for event in opened]
        times = {
            name: max((_at(event) for told, event in happened if told == name), default=None)
            for name in ("InquiryAnswered", "InquiryClosed", "InquiryReopened")
        }
        asked = [_at(e) for name, e in happened if e.get("author") == "CUSTOMER"]
        yield (
            inquiry, _whose(happened), *min(by_channel, default=(None, None)),
            _newest(happened, ("InquiryOpened", "InquiryClassified"), "topic"),
            *(_newest(happened, ("InquiryOpened",), name)
              for name in ("sku", "store_id", "transaction_id", "line_no")),
            sum(name in SAID for name, _ in happened), max(asked, default=None),
            times["InquiryAnswered"], times["InquiryClosed"],
            _newest(happened, ("InquiryClosed",), "resolution"), times["InquiryReopened"],
        )  # fmt: skip


def _whose(happened: list[tuple[str, Any]]) -> Any:
    """Whom staff decided for last, else who was named last."""
    named = [(name, event) for name, event in happened if event["profile_id"] is not None]
    decided = [(name, event) for name, event in named if name == "InquiryAttributed"]
    names = {name for name, _ in named}
    return _newest(decided or named, tuple(names), "profile_id")


def _newest(happened: list[tuple[str, Any]], names: tuple[str, ...], field: str) -> Any:
    """The value told last; at the same time an opening is before all else."""
    told = [
        (_at(event), name != "InquiryOpened", event[field] is not None, event[field])
        for name, event in happened
        if name in names
    ]
    return max(told, default=(None,))[-1]


def _merges(events: list[Any]) -> Iterator[tuple[Any, bytes]]:
    for _, name, event in events:
        if name == "InquiryMerged" and event["inquiry_id"] != event["into_inquiry_id"]:
            yield event, event["into_inquiry_id"]


def _merged(events: list[Any]) -> Iterator[tuple[Any, ...]]:
    newest: dict[bytes, tuple[int, bytes]] = {}
    for event, other in _merges(events):
        told = (_at(event), other)
        newest[event["inquiry_id"]] = max(told, newest.get(event["inquiry_id"], told))
    for inquiry, merge in newest.items():
        yield (inquiry, *merge)


def _at(event: Any) -> int:
    at = event["meta"]["occurred_at"]
    assert isinstance(at, int)
    return at
