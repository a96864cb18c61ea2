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
    return {"inquiry": list(_inquiries(about)), "inquiry_message": said}


def _inquiries(about: dict[bytes, list[tuple[str, Any]]]) -> Iterator[tuple[Any, ...]]:
    for inquiry, happened in about.items():
        opened = [event for name, event in happened if name == "InquiryOpened"]
        topics = _timed(happened, ("InquiryOpened", "InquiryClassified"), "topic")
        closed = _timed(happened, ("InquiryClosed",), "resolution")
        answered = [_at(event) for name, event in happened if name == "InquiryAnswered"]
        yield (
            inquiry, _greatest(event["profile_id"] for _, event in happened),
            min(map(_at, opened), default=None),
            _greatest(event["meta"]["producer"]["channel"] for event in opened),
            *max(topics, default=(None, None)),
            *(_greatest(event[name] for event in opened)
              for name in ("sku", "store_id", "transaction_id", "line_no")),
            sum(name in SAID for name, _ in happened), max(answered, default=None),
            *max(closed, default=(None, None)),
        )  # fmt: skip


def _timed(
    happened: list[tuple[str, Any]], names: tuple[str, ...], field: str
) -> list[tuple[Any, Any]]:
    return [(_at(event), event[field]) for name, event in happened if name in names]


def _at(event: Any) -> int:
    at = event["meta"]["occurred_at"]
    assert isinstance(at, int)
    return at


def _greatest(values: Iterable[Any]) -> Any:
    return max((value for value in values if value is not None), default=None)
