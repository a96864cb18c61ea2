"""Computes all rows of a derived table in a separate process, whose memory is freed at its end.

`decided_on_all` starts `python -m services.projector.derivation_process`. It copies all input rows
to that process, from the caller's transaction; the process computes the rows and returns, in parts,
those that change. The caller has only one part in memory.
"""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from struct import Struct
from typing import IO, TYPE_CHECKING, Any

from projections.core.derivation import Decide, Derivation, Shared
from projections.core.sql import quoted
from projections.core.tables import StoredTable

if TYPE_CHECKING:  # the child process does not need psycopg; its import takes 0.1 s
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

Row = tuple[Any, ...]
Read = Callable[[bytes], Any]
AT_ONCE = 1_000  # rows of a part
_HEADER = 19  # of a binary COPY: the signature, no flags, nothing more
_count, _length, _array = Struct(">h").unpack, Struct(">i").unpack, Struct(">iiiii").unpack_from


class DerivationFailed(Exception):
    """The process ended before it had returned all rows."""


def decided_on_all(
    connection: Connection, table: Derivation, shared: Shared
) -> Generator[list[tuple[bytes, Row]]]:
    """Yields, in parts and sorted, the nodes whose row changes, with the new values.

    `shared`: the rows of inputs without nodes. Raises `DerivationFailed` if the process fails.
    """
    copied: list[tuple[str, StoredTable, tuple[str, ...]]] = [
        (name, one.table, one.columns) for name, one in table.node_inputs.items()
    ]
    copied.append(("", table, (*table.keys, *table.values)))
    types = {input: [_type(part, name) for name in names] for input, part, names in copied}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    given, said = process.stdin, process.stdout
    assert given is not None and said is not None
    try:
        pickle.dump((table.decide, shared, types), given)
        for _, part, names in copied:
            _hand_over(connection, part, names, given)
        given.close()
        while changed := pickle.load(said):
            yield changed
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise DerivationFailed(
            f"the process that computes {table.name} ended with exit status {process.wait(5)}"
            f" ({type(error).__name__})"
        ) from None
    finally:
        process.kill()
        process.wait()
        said.close()
        with suppress(OSError):  # what it did not read
            given.close()


def differing(
    decided: Mapping[bytes, Sequence[Any]], held: Mapping[bytes, Row]
) -> list[tuple[bytes, Row]]:
    """Nodes whose stored row (`held`) differs from the computed one, with the latter; sorted."""
    rows = ((node, tuple(decided[node])) for node in sorted(decided))
    return [(node, row) for node, row in rows if held.get(node) != row]


def _type(part: StoredTable, name: str) -> str:
    return part.columns[name].type


def _hand_over(
    connection: Connection, part: StoredTable, names: tuple[str, ...], to: IO[bytes]
) -> None:
    listed = ", ".join(map(quoted, names))
    statement = f"copy (select {listed} from {quoted(part.name)}) to stdout (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        for block in copy:
            to.write(block)


def main() -> None:
    """Reads the input rows, computes the nodes' rows, and writes the changes to stdout."""
    gc.disable()  # all objects live until the process ends
    given, said = sys.stdin.buffer, sys.stdout.buffer
    decide: Decide
    decide, shared, types = pickle.load(given)
    known = {name: list(_rows(given, types[name])) for name in types if name}
    decided = decide(**known, **shared)
    held = {row[0]: row[1:] for row in _rows(given, types[""])}
    changed = differing(decided, held)
    for start in range(0, len(changed), AT_ONCE):
        pickle.dump(changed[start : start + AT_ONCE], said)
    pickle.dump([], said)
    said.flush()


def _rows(given: IO[bytes], types: list[str]) -> Iterator[Row]:
    """The rows of one binary COPY, up to its end marker."""
    given.read(_HEADER)
    reads = [READS[type] for type in types]
    while _count(given.read(2))[0] == len(reads):
        yield tuple([_value(given, read) for read in reads])


def _value(given: IO[bytes], read: Read) -> Any:
    (size,) = _length(given.read(4))
    return None if size < 0 else read(given.read(size))


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _text(data: bytes) -> str:
    return sys.intern(data.decode())  # rows repeat texts: keep each text in memory once


def _ids(data: bytes) -> list[bytes]:
    """Decodes a one-dimensional array of ids: a header of five integers, then the elements, each
    with its length.
    """
    if not _integer(data[:4]):
        return []
    many = _array(data)[3]
    return [data[24 + at * 20 : 40 + at * 20] for at in range(many)]


READS: dict[str, Read] = {
    "uuid": bytes, "text": _text, "bigint": _integer, "int": _integer, "smallint": _integer,
    "boolean": b"\1".__eq__, "uuid[]": _ids,
}  # fmt: skip

if __name__ == "__main__":
    main()
