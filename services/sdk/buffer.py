"""A till's buffer file: events wait in it while the gateway is away; only the gateway can read
them.

An event is written and fsynced before it is sent, and removed only with its result, so a kill at
any point loses nothing. Events that the gateway rejects stay in the file, sealed, with the reason.
"""

from __future__ import annotations

import base64
import os
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from nacl.public import PublicKey, SealedBox

from services.sdk.clocks import BootMoment

_TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
    position INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, sealed BLOB NOT NULL,
    boot TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS refused (
    position INTEGER PRIMARY KEY, event_id TEXT NOT NULL, sealed BLOB NOT NULL,
    field TEXT NOT NULL, reason TEXT NOT NULL);
"""


# columns that a file of an older release lacks
_LATER_COLUMNS = {"boot": "TEXT", "seconds": "REAL"}


class BufferFull(Exception):
    """The events do not fit: the buffer would hold more than `max_events`."""


@dataclass(frozen=True, slots=True)
class BufferedEvent:
    """An event that waits to be sent, encrypted to the gateway's public key.

    `moment`: when it happened, by the clock since boot; None if that is not known.
    """

    position: int
    event_id: str
    sealed: bytes
    moment: BootMoment | None = None


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that the gateway rejected, and why."""

    event_id: str
    field: str
    reason: str


class Buffer:
    """Events in the order they were added, each encrypted to the gateway's public key."""

    def __init__(
        self, path: str | Path, public_key: bytes | str, max_events: int = 100_000
    ) -> None:
        key = base64.b64decode(public_key) if isinstance(public_key, str) else public_key
        self._box = SealedBox(PublicKey(key))
        self._max_events = max_events
        self._lock = threading.Lock()
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # FULL: a commit returns after the disk has it; a till may lose its power at any time.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "fullfsync=ON"):
            self._file.execute(f"PRAGMA {pragma}")
        self._file.executescript(_TABLES)
        there = {row[1] for row in self._file.execute("PRAGMA table_info(waiting)")}
        for name in _LATER_COLUMNS.keys() - there:
            self._file.execute(f"ALTER TABLE waiting ADD COLUMN {name} {_LATER_COLUMNS[name]}")

    def __len__(self) -> int:
        """Number of waiting events."""
        with self._lock:
            return self._count()

    def _count(self) -> int:
        return int(self._file.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def add(
        self, events: Sequence[tuple[str, bytes]], moments: Sequence[BootMoment | None] = ()
    ) -> list[int]:
        """Stores events (id and JSON), all or none; returns their positions after the fsync.

        `moments`: when each of them happened; left out: not known. Raises BufferFull.
        """
        sealed = [
            (event_id, bytes(self._box.encrypt(clear)), *_columns(moment))
            for (event_id, clear), moment in zip_longest(events, moments)
        ]
        with self._lock:
            if self._count() + len(sealed) > self._max_events:
                raise BufferFull(f"more than {self._max_events} events wait for the gateway")
            with self._transaction():
                return [
                    self._file.execute(
                        "INSERT INTO waiting (event_id, sealed, boot, seconds) VALUES (?, ?, ?, ?)",
                        row,
                    ).lastrowid
                    or 0
                    for row in sealed
                ]

    def oldest(self, most: int, max_bytes: int) -> list[BufferedEvent]:
        """The next events to send, within both limits; at least one if any is waiting."""
        query = (
            "SELECT position, event_id, sealed, boot, seconds FROM waiting"
            " ORDER BY position LIMIT ?"
        )
        held: list[BufferedEvent] = []
        size = 0
        with self._lock:
            for row in self._file.execute(query, (most,)):
                size += len(row[2])
                if held and size > max_bytes:
                    break
                moment = None if row[3] is None or row[4] is None else BootMoment(row[3], row[4])
                held.append(BufferedEvent(row[0], row[1], row[2], moment))
        return held

    def settle(self, accepted: Sequence[int], refused: Sequence[tuple[int, str, str]]) -> None:
        """Applies results: accepted events are deleted, refused ones are set apart with the
        reason.
        """
        with self._lock, self._transaction():
            for position, field, reason in refused:
                self._file.execute(
                    "INSERT OR REPLACE INTO refused"
                    " SELECT position, event_id, sealed, ?, ? FROM waiting WHERE position = ?",
                    (field, reason, position),
                )
            gone = [(position,) for position in (*accepted, *(each[0] for each in refused))]
            self._file.executemany("DELETE FROM waiting WHERE position = ?", gone)

    def refused(self) -> list[RefusedEvent]:
        """Rejected events, oldest first; they stay in the file, sealed, for support."""
        query = "SELECT event_id, field, reason FROM refused ORDER BY position"
        with self._lock:
            return [RefusedEvent(*row) for row in self._file.execute(query)]

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._file.close()

    def _transaction(self) -> _Transaction:
        return _Transaction(self._file)


def _columns(moment: BootMoment | None) -> tuple[str | None, float | None]:
    return (None, None) if moment is None else (moment.boot, moment.seconds)


class _Transaction:
    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._file.execute("COMMIT" if kind is None else "ROLLBACK")
