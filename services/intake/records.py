"""Turns a producer's JSON into a Kafka record: validated, sealed and encoded, or refused.

The gateway and the bulk producer both use it, so for senders with the same role and stores both
refuse the same events for the same reasons.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal, Protocol

import psycopg

from schemas.generated import inputs
from schemas.generated.inputs import EventInput, Rejected
from schemas.personal.sealer import ERASED, SubjectSealer
from schemas.rights import INTERNAL, OPERATIONS, RIGHTS, own_places
from schemas.wire.bounds import BODY_MAX
from services.runtime.keys import SubjectKeys
from services.runtime.producer import KafkaRecord, record_of
from services.runtime.tokens import Token

Reason = Literal["invalid", "internal", "forbidden", "accrual", "erased", "too_large", "unreadable"]

# After so many events other requests get their turn, so that one event does not wait for a batch.
AT_ONCE = 50

# Types by which producers give points, unless the program's rules give them.
_BY_PRODUCERS = frozenset(name for name, right in RIGHTS.items() if right.by_producers)
# the true time of the event at an index of the request, from its `occurred_at` (microseconds)
Happened = Callable[[int, int], int]
# Types that carry rules as a text.
_WITH_RULES = frozenset({"MatchRulesActivated", "ProgramRulesSet"})


class KeysUnavailable(Exception):
    """Postgres is away, so events cannot be sealed or checked against the loyalty program."""


class ProgramSource(Protocol):
    """The state of the points programs; see `services/points/program/accrual_source.py`."""

    async def fresh(self) -> bool:
        """Refreshes a stale value; False when it was never read."""

    def refused(self, at: int, program_id: str | None) -> str | None:
        """Why a producer's earning or reversal at `at` (microseconds) is refused; None when it is
        not. `program_id`: None for the default program.
        """


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event was refused; `kind` is the reason's class, a label of the metric."""

    field: str
    reason: str
    kind: Reason = "invalid"


class Intake:
    """Validates, seals and encodes. Its only I/O is to read program state, and to read and create
    subject keys.
    """

    def __init__(
        self,
        keys: SubjectKeys,
        blind_key: bytes,
        program: ProgramSource,
        unreadable: Callable[[EventInput], Rejected | None],
        patience: float = 3.0,
    ) -> None:
        """`unreadable`: returns what is wrong with the rules text that an event carries, or
        None.
        """
        self._keys = keys
        self._blind_key = blind_key
        self._program = program
        self._unreadable = unreadable
        self._patience = patience
        self._keyless = SubjectSealer({}, blind_key)

    def read(
        self, event: object, sender: Token, happened: Callable[[int], int] = int
    ) -> EventInput | Refusal:
        """The validated event, or why the JSON is invalid or the sender may not send it.

        `happened`: returns the true time for the event's `occurred_at`.
        """
        try:
            model = inputs.parse(event)
        except Rejected as rejected:
            return Refusal(rejected.field, rejected.reason)
        return self._forbidden(model, sender, happened) or model

    async def read_all(
        self, events: Iterable[object], sender: Token, happened: Happened = lambda _, at: at
    ) -> list[EventInput | Refusal]:
        """As `read`, for each; elements that are refusals already are kept.

        Raises KeysUnavailable when an event gives points and the program's state is unknown.
        """
        listed, made = list(events), list[EventInput | Refusal]()
        earned = any(_type_of(event) in _BY_PRODUCERS for event in listed)
        if earned and not await self._program.fresh():
            raise KeysUnavailable
        remaining = iter(enumerate(listed))
        while part := list(islice(remaining, AT_ONCE)):
            made += [
                e if isinstance(e, Refusal) else self.read(e, sender, partial(happened, index))
                for index, e in part
            ]
            await asyncio.sleep(0)
        return made

    def _forbidden(
        self, model: EventInput, sender: Token, happened: Callable[[int], int]
    ) -> Refusal | None:
        name = model.type
        right = RIGHTS[name]
        if sender.role not in right.roles:
            if name in INTERNAL:
                reason = f"{name} is appended by Hitotsu's own services only"
                return Refusal("type", reason, "internal")
            who = f"the role {sender.role}" if sender.role else "a token without a role"
            return Refusal("type", f"{name} may not be appended by {who}", "forbidden")
        if right.own and not sender.any_store:
            for field, place in own_places(name, model):
                if not sender.within("store", place):
                    return Refusal(field, "is none of the token's stores", "forbidden")
        if right.by_producers and (why := self._not_earned(model, sender, happened)) is not None:
            return Refusal("type", why, "accrual")
        wrong = self._unreadable(model) if name in _WITH_RULES else None
        return Refusal(wrong.field, wrong.reason) if wrong else None

    def _not_earned(
        self, model: EventInput, sender: Token, happened: Callable[[int], int]
    ) -> str | None:
        # operators may always reverse points, but give them only when producers may
        if sender.role == OPERATIONS and model.type != "PointsEarned":
            return None
        at = happened(model.meta.occurred_at)
        return self._program.refused(at, getattr(model, "program_id", None))

    async def encode(
        self, models: Sequence[EventInput], headers: Sequence[tuple[str, bytes]] = ()
    ) -> list[KafkaRecord | Refusal]:
        """A record or refusal for each event, in their order; all subjects' keys are read together.

        Raises KeysUnavailable.
        """
        subjects = {
            subject for model in models if (subject := inputs.subject_of(model)) is not None
        }
        sealer = await self._sealer(subjects) if subjects else self._keyless
        made: list[KafkaRecord | Refusal] = []
        for start in range(0, len(models), AT_ONCE):
            part = models[start : start + AT_ONCE]
            made += [self._record(model, sealer, headers) for model in part]
            await asyncio.sleep(0)
        return made

    async def _sealer(self, subjects: Collection[bytes]) -> SubjectSealer:
        asked = asyncio.ensure_future(self._keys.of(subjects))
        # Not `wait_for`: psycopg may never return from a cancellation while a server is frozen.
        done, _ = await asyncio.wait({asked}, timeout=self._patience)
        if not done:
            asked.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise KeysUnavailable
        try:
            return SubjectSealer(asked.result(), self._blind_key)
        except (psycopg.Error, OSError) as error:
            raise KeysUnavailable from error

    @staticmethod
    def _record(
        model: EventInput, sealer: SubjectSealer, headers: Sequence[tuple[str, bytes]]
    ) -> KafkaRecord | Refusal:
        try:
            record = record_of(inputs.to_event(model, sealer), headers)
        except Rejected as rejected:
            kind: Reason = "erased" if rejected.reason == ERASED else "invalid"
            return Refusal(rejected.field, rejected.reason, kind)
        if len(record.value) > BODY_MAX:
            return Refusal("", f"is larger than {BODY_MAX} bytes once encoded", "too_large")
        return record


def _type_of(event: object) -> object:
    if isinstance(event, dict):
        kind = event.get("type")
        return kind if isinstance(kind, str) else None
    return getattr(event, "type", None)
