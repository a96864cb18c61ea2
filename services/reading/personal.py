"""Decrypts personal values for authorised callers, and logs the access with its purpose.

Subject keys are read anew for every request, so the next answer after an erasure lacks the values.
"""

from __future__ import annotations

from uuid import UUID

from schemas.personal import Unsealable, unseal
from services.http.caller import Caller
from services.reading.database import PostgresAway, bounded
from services.runtime.keys import SubjectKeys, WrongKeyEncryptionKey
from services.runtime.logging import log

SCOPE = "members:personal"


class PersonalValues:
    """Decrypts sealed values for one request."""

    def __init__(self, keys: SubjectKeys, caller: Caller) -> None:
        self._keys, self._caller = keys, caller
        self._known: dict[bytes, bytes | None] = {}
        self._opened = 0

    async def text(
        self, subject: UUID, event_id: UUID, field: str, sealed: bytes | None
    ) -> str | None:
        """The decrypted value; None if there is no value, the caller may not see it, the subject's
        key is erased, or the value cannot be decrypted. Raises PostgresAway.
        """
        if sealed is None or self._caller.purpose is None or not self._caller.may(SCOPE):
            return None
        key = await self._key(subject.bytes)
        if key is None:
            return None
        try:
            clear = unseal(key, event_id.bytes, field, subject.bytes, sealed)
        except Unsealable as error:
            log.error("sealed_value_unsealable", event_id=str(event_id), reason=str(error))
            return None
        self._opened += 1
        return clear

    def account(self, route: str) -> None:
        """Logs token, purpose, route, and numbers of subjects and values, if any value was
        decrypted.
        """
        if self._opened:
            log.info(
                "personal_values_shown", token=self._caller.name, purpose=self._caller.purpose,
                route=route, subjects=len(self._known), values=self._opened,
            )  # fmt: skip

    async def _key(self, subject: bytes) -> bytes | None:
        if subject not in self._known:
            try:
                found = await bounded(self._keys.existing([subject]))
            except WrongKeyEncryptionKey as error:
                raise PostgresAway("subject keys cannot be unwrapped") from error
            self._known[subject] = found.get(subject)
        return self._known[subject]
