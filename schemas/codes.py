"""The normal form of codes: NFKC, trimmed, without invisible characters.

A field of an .avsc with `"is": "code"` has a code; with `"case": "upper"` its letters are upper
case: stores, warehouses and tills. The gateway makes the normal form before it makes the record's
key, and every reader makes it of records from before (`schemas.wire.codec`). Whatever a scanner or
a spreadsheet adds around a code, it stays the same item and the same store.

The normal form is part of what is stored, so its computation must never change.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from schemas.declarations import fields_of, record_in

Form = Callable[[str], str]
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Categories of control characters, joiners and zero-width spaces, separators of lines."""
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), 0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0)))
"""Characters without a width in other categories: variation selectors, fillers, a joiner."""
_ROUNDS = 4


def is_plain(text: str) -> bool:
    """Whether a code is its normal form for a reason that is cheap to see: printable ASCII."""
    return text.isascii() and text.isprintable() and text[:1] != " " and text[-1:] != " "


def normal_code(text: str) -> str:
    """The code in its normal form; the text itself if nothing of it can be seen."""
    if is_plain(text):
        return text
    return _formed(text, str) or text


def upper_code(text: str) -> str:
    """As `normal_code`, in upper case: of a location or a terminal."""
    if is_plain(text):
        return text.upper()
    return _formed(text, str.upper) or text


@lru_cache(4_096)
def _formed(text: str, cased: Form) -> str:
    """The normal form; "" if nothing can be seen. Removing and casing may need another round."""
    for _ in range(_ROUNDS):
        before, text = text, unicodedata.normalize("NFKC", cased(text))
        text = "".join(filter(_seen, text)).strip()
        if text == before:
            break
    return text


def visible(text: str, form: Form) -> str:
    """The code in its normal form, or "" where nothing of it can be seen."""
    if is_plain(text):
        return form(text)
    return _formed(text, str.upper if form is upper_code else str)


def _seen(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN and character not in _SELECTORS


Forms = Mapping[str, Any]
"""The codes of a record type, by field: the function that makes the normal form, or the forms of
a nested record.
"""


@cache
def forms_of(name: str) -> Forms:
    """The codes of a record type, nested records included as far as they have any."""
    found: dict[str, Any] = {}
    for field in fields_of(name):
        if field.get("is") in ("code", "barcode"):
            found[field["name"]] = upper_code if field.get("case") == "upper" else normal_code
        elif (record := record_in(field["type"])) and (within := forms_of(record)):
            found[field["name"]] = within
    return found


def with_normal_codes(event: Any) -> Any:
    """The same event; its codes are made normal in place."""
    _make_normal(event, forms_of(event.NAME))
    return event


def _make_normal(record: Any, forms: Forms) -> None:
    for name, form in forms.items():
        told = getattr(record, name)
        if told is None:
            continue
        if isinstance(told, str):
            setattr(record, name, form(told))
        elif not callable(form):
            for one in told if isinstance(told, list) else (told,):
                _make_normal(one, form)
        else:
            setattr(record, name, [form(one) for one in told])
