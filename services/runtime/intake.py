"""How does a producer's JSON become a record for Kafka? Checked, sealed and encoded, or refused.

The one way in for facts: the gateway and the bulk producer both go through here, so what is
refused at one door is refused at the other, for the same reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import psycopg

from schemas import inputs
from schemas.bounds import BODY_MAX
from schemas.inputs import EventInput, Rejected
from schemas.personal.sealer import ERASED, Sealer
from services.runtime.keys import SubjectKeys
from services.runtime.producer import Record, record_of

Reason = Literal["invalid", "internal", "accrual", "erased", "too_large", "unreadable"]

# So many events, then others have their turn: one till's event does not wait for another's batch.
AT_ONCE = 50

# Appended by Hitotsu itself and by nobody else.
OURS = frozenset({"DeadLettered", "SubjectErased"})
# Decided by Hitotsu's own services and by people with the scope `operations`, never by a till.
DECIDED = frozenset(
    {
        "LinkDeclined",
        "MatchRulesActivated",
        "ProfilesLinked",
        "ProfilesUnlinked",
        "ReservationCommitted",
    }
)


class KeysUnavailable(Exception):
    """Postgres is away, and without a subject's key nothing personal can be sealed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event was not taken; `kind` is the class of reason that metrics count."""

    field: str
    reason: str
    kind: Reason = "invalid"


class Intake:
    """Checks, seals and encodes; does no I/O but to ask for subjects' keys."""

    def __init__(
        self,
        keys: SubjectKeys,
        blind_key: bytes,
        accrual: Literal["producer", "rules"],
        patience: float = 3.0,
    ) -> None:
        self._keys = keys
        self._blind_key = blind_key
        self._accrual = accrual
        self._patience = patience
        self._keyless = Sealer({}, blind_key)

    def read(self, event: object, operator: bool = False) -> EventInput | Refusal:
        """A typed event, or what is wrong with the JSON or with its sender sending it."""
        try:
            model = inputs.parse(event)
        except Rejected as rejected:
            return Refusal(rejected.field, rejected.reason)
        return self._forbidden(model.type, operator) or model

    async def read_all(
        self, events: Iterable[object], operator: bool = False
    ) -> list[EventInput | Refusal]:
        """Each of them; what could not even be split stays the refusal that it is."""
        remaining, made = iter(events), list[EventInput | Refusal]()
        while part := list(islice(remaining, AT_ONCE)):
            made += [e if isinstance(e, Refusal) else self.read(e, operator) for e in part]
            await asyncio.sleep(0)
        return made

    def _forbidden(self, name: str, operator: bool) -> Refusal | None:
        if name in OURS or (name in DECIDED and not operator):
            return Refusal("type", f"{name} is appended by Hitotsu's own services only", "internal")
        if name == "PointsEarned" and self._accrual == "rules":
            return Refusal("type", "the program's rules earn points, not producers", "accrual")
        return None

    async def encode(
        self, models: Sequence[EventInput], headers: Sequence[tuple[str, bytes]] = ()
    ) -> list[Record | Refusal]:
        """Records in the order of the events; keys are asked for once, for all subjects."""
        subjects = {
            subject for model in models if (subject := inputs.subject_of(model)) is not None
        }
        sealer = await self._sealer(subjects) if subjects else self._keyless
        made: list[Record | Refusal] = []
        for start in range(0, len(models), AT_ONCE):
            part = models[start : start + AT_ONCE]
            made += [self._record(model, sealer, headers) for model in part]
            await asyncio.sleep(0)
        return made

    async def _sealer(self, subjects: Collection[bytes]) -> Sealer:
        asked = asyncio.ensure_future(self._keys.of(subjects))
        # Not `wait_for`: psycopg may never return from a cancellation while a server is frozen.
        done, _ = await asyncio.wait({asked}, timeout=self._patience)
        if not done:
            asked.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise KeysUnavailable
        try:
            return Sealer(asked.result(), self._blind_key)
        except (psycopg.Error, OSError) as error:
            raise KeysUnavailable from error

    @staticmethod
    def _record(
        model: EventInput, sealer: Sealer, headers: Sequence[tuple[str, bytes]]
    ) -> Record | Refusal:
        try:
            record = record_of(inputs.to_event(model, sealer), headers)
        except Rejected as rejected:
            kind: Reason = "erased" if rejected.reason == ERASED else "invalid"
            return Refusal(rejected.field, rejected.reason, kind)
        if len(record.value) > BODY_MAX:
            return Refusal("", f"is larger than {BODY_MAX} bytes once encoded", "too_large")
        return record
