"""Builds the statement that ends holds (rows of decisions) whose events a batch applies.

The projector runs it for each batch with such events; a rebuild runs it only at the swap, since
nobody reads the tables of a shadow before that.
"""

from __future__ import annotations

from functools import cache

from projections.core import HeldAmounts
from projections.core.sql import quoted
from projections.core.tables import Table

_FACT = ("uuid", "int", "bigint")  # event id, source partition, offset after the batch


def types(held: HeldAmounts) -> tuple[str, ...]:
    """The types of the arrays that `statement` takes: the hold's key, then its event."""
    return (*held.types, *_FACT)


@cache
def statement(held: HeldAmounts) -> str:
    """The UPDATE that sets holds in the state `held.awaiting` to `applied`.

    It also stores how readers recognise that their rows include the hold's event: the partition,
    the offset after the batch, and the row version or the event id.
    """
    fields = list(held.named.values())
    sent = ", ".join(f"%s::{type}[]" for type in types(held))
    names = ", ".join(map(quoted, (*fields, "event_id", "partition", "ending")))
    mark, row = "x.event_id", ""
    if isinstance(held.beside, Table):
        same = (f"c.{quoted(key)} = x.{quoted(held.fields[key])}" for key in held.beside.keys)
        mark, row = "c.row_version", f"join {quoted(held.beside.name)} c on {' and '.join(same)}\n"
    found = " and ".join(
        f"h.{quoted(own)} = x.{quoted(field)}" for own, field in held.named.items()
    )
    return (
        f"update hitotsu.{quoted(held.decisions)} h set state = 'applied',"
        f" {quoted(held.mark)} = {mark}, applied_partition = x.partition,"
        f" applied_offset = x.ending\nfrom unnest({sent}) as x({names})\n{row}"
        f"where {found} and h.state = '{held.awaiting}'"
    )
