"""Stores subject keys, and destroys one to make its person's data unreadable.

A key is stored in Postgres, wrapped (encrypted) by the key-encryption key of the environment.
Destroying a key leaves an empty row, so that no process creates a new key for that person.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, tuple_row

from services.runtime.db import Pool

_READ = "SELECT subject, wrapped, kek_id FROM hitotsu.subject_key WHERE subject = ANY(%s)"
_MAKE = """
INSERT INTO hitotsu.subject_key (subject, wrapped, kek_id)
SELECT subject, wrapped, %s FROM unnest(%s::bytea[], %s::bytea[]) AS made(subject, wrapped)
ON CONFLICT DO NOTHING RETURNING subject
"""
_DESTROY = """
INSERT INTO hitotsu.subject_key (subject, erased_at) VALUES (%s, now())
ON CONFLICT (subject) DO UPDATE
SET wrapped = NULL, kek_id = NULL, erased_at = coalesce(subject_key.erased_at, now())
"""
_ERASED = "SELECT count(*) FROM hitotsu.subject_key WHERE erased_at IS NOT NULL"
_TO_REWRAP = """
SELECT subject, wrapped, kek_id FROM hitotsu.subject_key
WHERE wrapped IS NOT NULL AND kek_id <> %s ORDER BY subject LIMIT %s FOR UPDATE
"""
_REWRAP = """
UPDATE hitotsu.subject_key AS k SET wrapped = made.wrapped, kek_id = %s
FROM unnest(%s::bytea[], %s::bytea[]) AS made(subject, wrapped) WHERE k.subject = made.subject
"""
_KEY_BYTES, _NONCE_BYTES = 32, 12


class WrongKeyEncryptionKey(Exception):
    """A subject key cannot be unwrapped: another key-encryption key, or changed bytes."""


class KeyEncryption:
    """Wraps with the current key-encryption key; unwraps with it and with replaced ones."""

    def __init__(self, current: bytes, *replaced: bytes) -> None:
        self.kek_id = kek_id(current)
        self._ciphers = {kek_id(kek): AESGCM(kek) for kek in (*replaced, current)}

    def wrap(self, subject: bytes, key: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[self.kek_id].encrypt(nonce, key, subject)

    def unwrap(self, subject: bytes, wrapped: bytes, by: str) -> bytes:
        cipher = self._ciphers.get(by)
        if cipher is None:
            raise WrongKeyEncryptionKey(
                f"keys were wrapped by key-encryption key {by}, which is not configured"
            )
        try:
            return cipher.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], subject)
        except InvalidTag:
            raise WrongKeyEncryptionKey(
                f"a subject key wrapped by {by} was changed in Postgres"
            ) from None


def kek_id(kek: bytes) -> str:
    return sha256(b"hitotsu key-encryption key" + kek).hexdigest()[:12]


class SubjectKeys:
    """Reads, creates and destroys subject keys; caches at most `most` keys for `seconds`."""

    def __init__(
        self,
        pool: Pool,
        kek: bytes,
        *replaced: bytes,
        seconds: float = 60.0,
        most: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._encryption = KeyEncryption(kek, *replaced)
        self._seconds, self._most, self._clock = seconds, most, clock
        self._known: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    async def of(self, subjects: Collection[bytes]) -> dict[bytes, bytes]:
        """A key per subject, created if it has none; erased subjects are not in the result.

        Raises WrongKeyEncryptionKey.
        """
        keys, unknown = self._remembered(subjects)
        if unknown:
            async with self._pool.connection() as connection:
                found, rowless = await self._read(connection, unknown)
                if rowless:
                    found |= await self._make(connection, rowless)
            self._remember(found)
            keys |= found
        return keys

    async def existing(self, subjects: Collection[bytes]) -> dict[bytes, bytes]:
        """The existing keys by subject; subjects without key are not in the result.

        Raises WrongKeyEncryptionKey.
        """
        keys, unknown = self._remembered(subjects)
        if unknown:
            async with self._pool.connection() as connection:
                found, _ = await self._read(connection, unknown)
            self._remember(found)
            keys |= found
        return keys

    async def destroy(self, subject: bytes) -> None:
        """Destroys the subject's key for ever; if there was none, it can never be created.

        Other processes may have the key in their caches for one more minute.
        """
        async with self._pool.connection() as connection:
            await connection.execute(_DESTROY, [subject])
        self._known.pop(subject, None)

    async def erased(self) -> int:
        """Number of subjects whose key was destroyed."""
        async with self._pool.connection() as connection:
            rows = await _rows(connection, _ERASED, [])
        return int(rows[0][0])

    async def rewrap(self, batch: int = 1_000) -> int:
        """Wraps all keys anew that a replaced key-encryption key wraps; returns their number.

        `batch`: keys per transaction. Raises WrongKeyEncryptionKey.
        """
        done = 0
        while True:
            async with self._pool.connection() as connection, connection.transaction():
                rows = await _rows(connection, _TO_REWRAP, [self._encryption.kek_id, batch])
                if not rows:
                    return done
                subjects = [bytes(row[0]) for row in rows]
                made = [
                    self._encryption.wrap(s, self._encryption.unwrap(s, w, by)) for s, w, by in rows
                ]
                await connection.execute(_REWRAP, [self._encryption.kek_id, subjects, made])
            done += len(rows)

    async def _read(
        self, connection: AsyncConnection[TupleRow], subjects: list[bytes]
    ) -> tuple[dict[bytes, bytes], list[bytes]]:
        """The existing keys, and the subjects that have no row."""
        rows = await _rows(connection, _READ, [subjects])
        keys = {
            s: self._encryption.unwrap(s, wrapped, by)
            for s, wrapped, by in rows
            if wrapped is not None
        }
        seen = {row[0] for row in rows}
        return keys, [subject for subject in subjects if subject not in seen]

    async def _make(
        self, connection: AsyncConnection[TupleRow], subjects: list[bytes]
    ) -> dict[bytes, bytes]:
        # Sorted: two processes that make the same keys wait for each other and never deadlock.
        made = {subject: os.urandom(_KEY_BYTES) for subject in sorted(subjects)}
        wrapped = [self._encryption.wrap(subject, key) for subject, key in made.items()]
        rows = await _rows(connection, _MAKE, [self._encryption.kek_id, list(made), wrapped])
        ours = {row[0] for row in rows}
        keys = {subject: key for subject, key in made.items() if subject in ours}
        if len(ours) < len(made):
            others, _ = await self._read(connection, [s for s in made if s not in ours])
            keys |= others
        return keys

    def _remembered(self, subjects: Iterable[bytes]) -> tuple[dict[bytes, bytes], list[bytes]]:
        now, keys, unknown = self._clock(), {}, []
        for subject in dict.fromkeys(subjects):
            key, until = self._known.get(subject, (b"", 0.0))
            if key and now < until:
                self._known.move_to_end(subject)
                keys[subject] = key
            else:
                unknown.append(subject)
        return keys, unknown

    def _remember(self, keys: dict[bytes, bytes]) -> None:
        until = self._clock() + self._seconds
        for subject, key in keys.items():
            self._known[subject] = (key, until)
            self._known.move_to_end(subject)
        while len(self._known) > self._most:
            self._known.popitem(last=False)


async def _rows(
    connection: AsyncConnection[TupleRow], query: str, values: list[object]
) -> list[TupleRow]:
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()
