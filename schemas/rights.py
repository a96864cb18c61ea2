"""Declares which role may append which event, and which locations in it must be the sender's own.

A token has one role. The .avsc file of an event declares, under `may_append`: `roles` that may
append it; `own`, location fields whose value must be one of the token's stores; `by_producers`, the
event is refused while the loyalty program's rules give points. All other roles are denied. The role
`operations` may append all events except those that Hitotsu appends itself. This module uses the
standard library only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.topics import EVENT_SCHEMAS

Role = Literal["till", "ec", "warehouse", "catalogue", "operations"]

OPERATIONS: Role = "operations"
ROLES: dict[Role, str] = {
    "till": "A till: what happens in its own store.",
    "ec": "A web shop: as a till for its own location, and orders, consents and coupons.",
    "warehouse": "A warehouse: receipts, shipments, transfers and counts.",
    "catalogue": "The item master: items, locations and policies.",
    "operations": "People who run it, imports and corrections: everything.",
}


@dataclass(frozen=True, slots=True)
class Right:
    """Which roles may append an event.

    `own`: dotted paths of location fields whose value must be one of the token's stores.
    `by_producers`: refused while the loyalty program's own rules give points.
    """

    roles: tuple[Role, ...]
    own: tuple[str, ...] = ()
    by_producers: bool = False


def _declared() -> dict[str, Right]:
    rights = {}
    for event, schema in EVENT_SCHEMAS.items():
        said = schema.get("may_append", {"roles": []})  # the lint requires may_append
        own, by_producers = tuple(said.get("own", ())), said.get("by_producers", False)
        rights[event] = Right(tuple(said["roles"]), own, by_producers)
    return rights


RIGHTS: dict[str, Right] = _declared()

# Events that Hitotsu appends itself: no token may.
INTERNAL = frozenset(name for name, right in RIGHTS.items() if not right.roles)


def own_places(name: str, event: object) -> list[tuple[str, str | None]]:
    """The locations in the event that must be stores of the token: (dotted path, value)."""
    found: list[tuple[str, str | None]] = []
    for path in RIGHTS[name].own:
        found += _places(event, path, "")
    return found


def _places(part: object, path: str, before: str) -> Iterator[tuple[str, str | None]]:
    """The values at a dotted path below an event or a nested record; nulls in arrays are left out.

    `before`: the dotted path that led to `part`, with its closing dot.
    """
    head, _, rest = path.partition(".")
    value = getattr(part, head)
    if rest:
        for at, item in enumerate(value):
            yield from _places(item, rest, f"{before}{head}.{at}.")
    elif value is not None or not before:
        yield before + head, value
