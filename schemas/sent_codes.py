"""Makes codes normal in events as producers send them, before these are validated.

Most codes are normal and come again and again. So a function that is compiled for each event type
only looks them up among codes that were seen before; one that is not there, or JSON of another
shape, takes the slow way through all codes of the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from schemas.codes import Form, Forms, forms_of, is_plain, normal_code, upper_code, visible

KNOWN_MAX = 50_000
_known: dict[Form, set[str | None]] = {normal_code: {None}, upper_code: {None}}
"""Codes that were seen and are normal, by the function that makes them so."""


class _Counter:
    """Counts, over the life of the process, the events of which a code was changed."""

    changed = 0


COUNTER = _Counter()


def with_normal_codes(name: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event with its codes in their normal form; the same object if nothing changes.

    `event`: JSON, whether valid or not. A code of which nothing can be seen becomes empty.
    """
    try:
        if _only_known(name)(event):
            return event
    except (AttributeError, KeyError, TypeError):  # another shape, which validation tells about
        pass
    return _changed(name, event)


def changes(name: str, event: Mapping[str, Any]) -> dict[str, str]:
    """By dotted path: the normal forms of the codes that were sent in another form."""
    return {".".join(map(str, path)): made for path, made in _changes(event, forms_of(name), ())}


def _changed(name: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
    found = list(_changes(event, forms_of(name), ()))
    if not found:
        return event
    copied: Any = deepcopy(event)
    for path, made in found:
        at = copied
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = made
    COUNTER.changed += 1
    return dict(copied)


Path = tuple[str | int, ...]


def _changes(record: Any, forms: Forms, before: Path) -> Iterator[tuple[Path, str]]:
    if not isinstance(record, Mapping):
        return
    for name, form in forms.items():
        told, path = record.get(name), (*before, name)
        if isinstance(told, list):
            listed = [((*path, at), one) for at, one in enumerate(told)]
        else:
            listed = [(path, told)]
        for where, one in listed:
            if not callable(form):
                yield from _changes(one, form, where)
            elif isinstance(one, str) and (made := _made(one, form)) != one:
                yield where, made


def _made(code: str, form: Form) -> str:
    """The normal form, which is remembered if it is the code itself."""
    made = visible(code, form)
    if made == code and is_plain(code):
        known = _known[form]
        if len(known) >= KNOWN_MAX:
            known.clear()
            known.add(None)
        known.add(code)
    return made


@cache
def _only_known(name: str) -> Callable[[Any], bool]:
    """Whether all codes of an event were seen before; raises an error for JSON of another shape."""
    lines = _looked_up(forms_of(name), "event", "    ", 0)
    scope = {"normal": _known[normal_code], "upper": _known[upper_code]}
    source = "\n".join(["def only_known(event):", *lines, "    return True"])
    exec(source, scope)  # noqa: S102 - made of declared names alone
    made: Any = scope["only_known"]
    return made  # type: ignore[no-any-return]


def _looked_up(forms: Forms, record: str, indent: str, depth: int) -> Iterator[str]:
    """Statements that return False at the first code of a record that is not known."""
    get = f"get{depth}"
    yield f"{indent}{get} = {record}.get"
    for name, form in forms.items():
        if callable(form):
            known = "upper" if form is upper_code else "normal"
            yield f"{indent}if {get}({name!r}) not in {known}:"
            yield f"{indent}    return False"
            continue
        one = f"one{depth}"
        yield f"{indent}{one} = {get}({name!r})"
        yield f"{indent}for {one} in {one} if type({one}) is list else ({one},) if {one} else ():"
        yield from _looked_up(form, one, indent + "    ", depth + 1)
