"""Parses JSON strictly: no duplicate keys, no NaN or Infinity, bounded nesting."""

from __future__ import annotations

import json
from typing import Any, NoReturn


class Unreadable(Exception):
    """The text is not acceptable JSON; the message says why, without quoting the text."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        # Parsers differ in which duplicate key they keep.
        raise Unreadable("an object has the same key twice")
    return made


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not a JSON number")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def loads(text: bytes) -> Any:
    """The parsed value; raises only `Unreadable`, whatever the bytes."""
    try:
        return _decoder.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise Unreadable(f"not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    except ValueError:
        raise Unreadable("a number has too many digits") from None
