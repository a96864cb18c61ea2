"""Makes the inquiry that accompanies a return."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from services.demo.shop import names
from services.demo.shop.names import Json

if TYPE_CHECKING:
    from services.demo.shop.returns import DemoReturn

_CLASSIFIED, _CLOSED = timedelta(minutes=5), timedelta(days=1)


def topic(reason: str | None, category: str | None) -> str:
    """The inquiry's topic: `return/<reason>/<category>`."""
    return "/".join(
        ("return", names.slug(reason or "no reason"), names.slug(names.category(category)))
    )


def inquiry(back: DemoReturn, cause: str) -> Iterator[Json]:
    """Its events: opened with the return `cause`, classified, and closed a day later."""
    inquiry_id = names.demo_id("inquiry", back.system, back.number, back.line_no)
    who: Json = {"inquiry_id": inquiry_id}
    if back.returner is not None:
        who["profile_id"] = names.profile(back.system, back.returner)
    yield {
        "type": "InquiryOpened",
        "meta": back.meta("InquiryOpened", cause),
        **who,
        "topic": "return",
        "text": _text(back),
        "sku": names.sku(back.item),
        **({} if back.store is None else {"store_id": names.location(back.store)}),
        "transaction_id": back.transaction,
        "line_no": back.line_no,
    }
    yield {
        "type": "InquiryClassified",
        "meta": back.meta("InquiryClassified", cause, _CLASSIFIED),
        **who,
        "topic": topic(back.reason, back.category),
        "classified_by": "reason-and-category",
    }
    yield {
        "type": "InquiryClosed",
        "meta": back.meta("InquiryClosed", cause, _CLOSED),
        **who,
        "reason_code": "refunded",
    }


def _text(back: DemoReturn) -> str:
    """The inquiry's free text; it contains personal data (a phone number), as real texts do."""
    words = f"商品{back.item}を{back.quantity}点返品したい。理由: {back.reason or '特になし'}。"
    if back.returner is None:
        return words
    return f"{words}連絡先は{names.phone(back.returner)}です。"
