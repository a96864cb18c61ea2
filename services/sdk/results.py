"""The results of a send, one per event, and the errors of a whole send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["accepted", "rejected", "buffered"]


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one event.

    `accepted`: it has topic, partition and offset. `rejected`: it has field and reason. `buffered`:
    it waits on disk. `index`: its place in the send.
    """

    index: int
    event_id: str | None
    status: Status
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    field: str | None = None
    reason: str | None = None


class Results(list[Result]):
    """The results of a send, in the order of its events."""

    def of(self, status: Status) -> list[Result]:
        """The results with this status."""
        return [result for result in self if result.status == status]

    @property
    def accepted(self) -> int:
        """Number of events that were accepted into the log."""
        return len(self.of("accepted"))

    @property
    def rejected(self) -> int:
        """Number of events that were rejected; the same events would be rejected again."""
        return len(self.of("rejected"))

    @property
    def buffered(self) -> int:
        """Number of events that wait on disk."""
        return len(self.of("buffered"))

    def raise_for_refused(self) -> Results:
        """Raises `Refused` when any event was rejected; else returns these results."""
        refused = self.of("rejected")
        if refused:
            raise Refused(refused)
        return self


class Refused(Exception):
    """Some events were rejected; `results` has the results of these, with field and reason."""

    def __init__(self, results: Sequence[Result]) -> None:
        first = results[0]
        more = f" (and {len(results) - 1} more)" if len(results) > 1 else ""
        super().__init__(f"event {first.event_id}: {first.field}: {first.reason}{more}")
        self.results = list(results)


class Unreachable(Exception):
    """No answer within the client's patience; sending the same events again is safe."""


class Problem(Exception):
    """The gateway refused a whole request (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str, errors: Sequence[Mapping[str, Any]]):
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = list(errors)
        self.results = Results()
        """Results of the batches that were answered before this one."""

    @classmethod
    def read(cls, status: int, body: bytes) -> Problem:
        """Reads an HTTP answer, also if its body is no problem document or an incomplete one."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return cls(status, "unexpected answer", "not a problem document", [])
        listed = told.get("errors")
        errors = [
            each for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)
        ]
        return cls(status, str(told.get("title", "")), str(told.get("detail", "")), errors)

    def indexes(self) -> dict[int, tuple[str, str]]:
        """The events that `errors` names: by index in the request, field and reason of the event's
        last error.
        """
        found: dict[int, tuple[str, str]] = {}
        for error in self.errors:
            first, _, rest = str(error.get("pointer", "")).lstrip("/").partition("/")
            if first.isdecimal():
                found[int(first)] = (rest.replace("/", "."), str(error.get("reason", "")))
        return found
