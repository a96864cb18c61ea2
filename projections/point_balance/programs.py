"""Which program an entry of points belongs to. Pure.

An event names its program; what names none belongs to the default one, as all points did before
there were several. A lot belongs to the program of the entries that gave its points, so an entry
that takes from it is that program's too, whatever its event names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

Entry = TypeVar("Entry", bound=Mapping[str, Any])

SETTING = "default_program"  # the setting that names the default program
# of rows of `point_entry`: whether the row gives points to its lot, not back to it
GIVES = "points > 0 and (kind <> 'reinstated' or expires_at is not null)"
# of rows grouped by profile and lot: the program that they name; null is the default one
LOT_PROGRAM = f"""
case when bool_or({GIVES}) then max(program_id) filter (where {GIVES}) else max(program_id) end
"""


def gives(entry: Mapping[str, Any]) -> bool:
    """Whether the entry gives points to its lot; False where they only go back to it."""
    return entry["points"] > 0 and (
        entry["kind"] != "reinstated" or entry["expires_at"] is not None
    )


def of_program(entries: Sequence[Entry], program: str, default: str) -> list[Entry]:
    """The entries of one program, in their order. `default`: the program that is meant by none."""
    named = {entry["program_id"] or default for entry in entries}
    if named <= {program}:
        return list(entries)
    lots = _lots(entries)
    return [
        entry
        for entry in entries
        if (lots.get((entry["profile_id"], entry["lot_id"])) or entry["program_id"] or default)
        == program
    ]


def _lots(entries: Iterable[Mapping[str, Any]]) -> dict[tuple[Any, Any], str]:
    """By profile and lot: the program that its entries name; "" if none of them names one."""
    by_lot: dict[tuple[Any, Any], tuple[bool, str]] = {}
    for entry in entries:
        if entry["lot_id"] is not None:
            spot = entry["profile_id"], entry["lot_id"]
            said = (gives(entry), entry["program_id"] or "")
            by_lot[spot] = max(by_lot.get(spot, (False, "")), said)
    return {spot: program for spot, (_, program) in by_lot.items()}
