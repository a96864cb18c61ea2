"""SQL for tables of decisions that hold amounts, made from `HeldAmounts` declarations."""

from __future__ import annotations

from functools import cache

from projections import discover
from projections.core import HeldAmounts
from projections.core.sql import quoted

# decisions that ended longer ago than %(keep)s; none of them holds an amount
_PAST = "clock_timestamp() - %(keep)s::interval"
ENDED = (
    f"t.created_at < {_PAST} and (t.state in ('released', 'expired', 'applied')"
    f" and greatest(t.resolved_at, t.created_at) < {_PAST}"
    f" or t.state = 'open' and t.expires_at < {_PAST})"
)


@cache
def declared() -> tuple[HeldAmounts, ...]:
    """All declared `HeldAmounts`, in the order of the projections' names."""
    return tuple(held for projection in discover() for held in projection.held_amounts)


def expire(held: HeldAmounts) -> str:
    """The SQL that sets open decisions past their time to `expired`.

    Its parameters: an array of keys (first column of `held.by`), and the time. Run it under the
    locks of these keys, so that no other transaction resolves an expired decision.
    """
    key = held.by[next(iter(held.by))]
    return (
        f"update hitotsu.{quoted(held.decisions)} set state = 'expired', resolved_at = expires_at"
        f" where {quoted(key)} = any(%s) and state = 'open' and expires_at <= %s"
    )
