"""How does the driver send whole columns? Arrays of the core are in Postgres' form already.

Statements take `array` from here, so that no array meets a driver that does not know it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from projections.core.arrays import ARRAYS, Array, array

__all__ = ["Array", "array", "columns"]


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        return obj


for _one in ARRAYS.values():
    _dumper = type(f"{_one.__name__}Dumper", (_AsItIs,), {"oid": _one.oid})
    psycopg.adapters.register_dumper(_one, _dumper)


def columns(types: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Array]:
    """One array for each column of these rows: a driver's lists cost more than what they ask for.

    Ids may be UUIDs; times of type "timestamptz" go as text, to be cast in the statement.
    """
    held = zip(*rows)
    return [array(_SENT.get(type, type), map(_plain, each)) for type, each in zip(types, held)]


_SENT = {"timestamptz": "text"}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.bytes
    return value.isoformat() if isinstance(value, datetime) else value
