"""Reads the personal data of profiles from the member projection, and decrypts it.

Subject keys are cached for a minute; clear data is not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any
from uuid import UUID

from projections.member import PERSONAL
from schemas.personal import Unsealable, Unsealer
from services.identity.matching.features import Person
from services.runtime.db import Connection
from services.runtime.keys import SubjectKeys
from services.runtime.logging import log
from services.runtime.rows import rows_of

PROFILES = f"""
select profile_id, erased_at, {", ".join(PERSONAL)} from profile
where profile_id = any(%s::uuid[])
"""
IDENTIFIERS = """
select profile_id, kind, value_index from identifier where profile_id = any(%s::uuid[])
order by profile_id, kind, value_index
"""
SLICE = 16  # profiles between two yields to the event loop: searches need not wait for a batch


class People:
    """Reads profiles of the member projection and decrypts their personal fields."""

    def __init__(self, keys: SubjectKeys) -> None:
        self._keys = keys

    async def of(
        self, connection: Connection, profiles: Collection[bytes]
    ) -> dict[bytes, Person | None]:
        """Each profile's current data; None when it is unknown or erased, or has no subject key."""
        asked = [UUID(bytes=one) for one in sorted(profiles)]
        found: dict[bytes, Person | None] = dict.fromkeys(profiles)
        rows = {
            row["profile_id"].bytes: row for row in await rows_of(connection, PROFILES, [asked])
        }
        shown: dict[bytes, list[tuple[str, bytes]]] = {}
        for row in await rows_of(connection, IDENTIFIERS, [asked]):
            known = shown.setdefault(row["profile_id"].bytes, [])
            known.append((row["kind"], row["value_index"].bytes))
        keys = await self._keys.existing(sorted(rows.keys() | shown.keys()))
        unsealer = Unsealer(keys)
        for number, one in enumerate(rows.keys() | shown.keys()):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)
            row = rows.get(one, {})
            # without a key the profile is being erased: its event has not been applied yet
            if one in keys and row.get("erased_at") is None:
                found[one] = unsealed_person(unsealer, one, row, shown.get(one, ()))
        return found


def unsealed_person(
    unsealer: Unsealer,
    subject: bytes,
    row: dict[str, Any],
    identifiers: Collection[tuple[str, bytes]],
) -> Person:
    """A profile's row in clear; values that cannot be unsealed are None."""
    clear = {name: _text(unsealer, subject, name, row.get(name)) for name in PERSONAL}
    return Person(**clear, identifiers=tuple(identifiers))


def _text(unsealer: Unsealer, subject: bytes, field: str, stored: bytes | None) -> str | None:
    """Unseals a stored value: event id, then sealed text. None if absent or unsealable (logged)."""
    if stored is None:
        return None
    try:
        return unsealer.unseal(stored[:16], subject, field, stored[16:])
    except Unsealable as error:
        event_id = str(UUID(bytes=stored[:16]))
        log.error("sealed_value_unsealable", event_id=event_id, reason=str(error))
        return None
