"""Sends whole columns to Postgres as binary arrays, which `projections.core` encodes.

Importing this module registers the arrays' adapters with psycopg, so import `array` from here.
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
    """One array per column of these rows, an empty list if there are no rows.

    Much faster than psycopg's adaption of Python lists. `types`: the Postgres type of each column.
    A column of "timestamptz" becomes an array of text, which the statement has to cast.
    """
    held = zip(*rows)
    return [array(_SENT.get(type, type), map(_plain, each)) for type, each in zip(types, held)]


_SENT = {"timestamptz": "text"}


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.bytes
    return value.isoformat() if isinstance(value, datetime) else value
