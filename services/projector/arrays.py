"""How does the driver send whole columns? Arrays of the core are in Postgres' form already.

Statements take `array` from here, so that no array meets a driver that does not know it.
"""

from __future__ import annotations

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from projections.core.arrays import ARRAYS, Array, array

__all__ = ["Array", "array"]


class _AsItIs(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        return obj


for _one in ARRAYS.values():
    _dumper = type(f"{_one.__name__}Dumper", (_AsItIs,), {"oid": _one.oid})
    psycopg.adapters.register_dumper(_one, _dumper)
