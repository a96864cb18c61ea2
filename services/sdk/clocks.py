"""Reads the machine's time of day, which may be set, and its clock since boot, which never is.

From both the gateway computes how wrong the time of day is: `Hitotsu-Sent-At` is the time of day
when a request is sent, `Hitotsu-Event-Ages` is how long ago each event happened by the clock since
boot.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

SENT_AT, EVENT_AGES = "Hitotsu-Sent-At", "Hitotsu-Event-Ages"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_YEARS = range(1900, 2200)  # the gateway takes no others


@dataclass(frozen=True, slots=True)
class BootMoment:
    """When an event happened: `seconds` by the clock since boot, of the boot with this id."""

    boot: str
    seconds: float


class Clocks:
    """This machine's clocks."""

    @property
    def boot(self) -> str:
        """The id of this boot; where the system has none, an id of this process."""
        return _boot()

    def since_boot(self) -> float:
        """Seconds since boot, sleep included where the system counts it."""
        which = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if which is None else time.clock_gettime(which)

    def told(self) -> datetime:
        """The machine's time of day, which may be wrong."""
        return datetime.now(UTC)

    def moment_of(self, occurred_at: object) -> BootMoment | None:
        """When an event happened, by the clock since boot.

        `occurred_at` was read from this machine's time of day, shortly ago: its distance to the
        present time of day is right even if both are wrong. None if it is before the boot, or not a
        time with an offset from UTC.
        """
        happened = _told(occurred_at)
        if happened is None:
            return None
        now = self.since_boot()
        seconds = now - max(0.0, (self.told() - happened).total_seconds())
        return BootMoment(self.boot, seconds) if seconds >= 0 else None

    def headers(self, moments: Sequence[BootMoment | None]) -> dict[str, str]:
        """The clock headers of a request that is sent now, with events of these moments.

        Without a header whose value is not known or, for the time of day, absurd.
        """
        told, boot, now = self.told(), self.boot, self.since_boot()
        made = {}
        if told.year in _YEARS:
            made[SENT_AT] = told.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        ages = [
            f"{max(0.0, now - moment.seconds):.1f}" if moment and moment.boot == boot else ""
            for moment in moments
        ]
        if any(ages):
            made[EVENT_AGES] = ",".join(ages)
        return made


def occurred_at_of(event: Mapping[str, Any] | BaseModel) -> object:
    """The event's `meta.occurred_at`, unchanged: text, a time, or microseconds; None if absent."""
    if isinstance(event, BaseModel):
        return event.meta.occurred_at  # type: ignore[attr-defined]
    meta = event.get("meta")
    return meta.get("occurred_at") if isinstance(meta, Mapping) else None


def _told(occurred_at: object) -> datetime | None:
    moment = occurred_at
    try:
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment.upper())
        elif isinstance(moment, int):
            moment = datetime.fromtimestamp(moment / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    known = isinstance(moment, datetime) and moment.utcoffset() is not None
    return moment if known else None  # type: ignore[return-value]


@cache
def _boot() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return f"process {uuid4()}"
