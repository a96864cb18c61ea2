"""Does the feed of due sales get every event that it looks at?"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import UnionType
from typing import Any, get_args

from services.points.background import sales_feed


def test_every_event_that_makes_sales_due_is_followed() -> None:
    """An event of a type that is not followed is left out before `note_due` can see it."""
    looked_at = set(types_of(ast.parse(inspect.getsource(sales_feed.note_due))))
    assert len(looked_at) > 10
    assert {kind.__name__ for kind in looked_at ^ set(sales_feed.FOLLOWED)} == set()


def types_of(function: ast.AST) -> Iterator[Any]:
    """The types that a function tells apart by `isinstance`."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "isinstance":
            named = eval(ast.unparse(call.args[1]), vars(sales_feed))
            yield from get_args(named) if isinstance(named, UnionType) else (named,)
