"""Ids that a producer computes offline: deterministic ones, and UUIDv7 for other events."""

from __future__ import annotations

import os
import time
from uuid import NAMESPACE_URL, UUID, uuid5

_PROFILES = uuid5(NAMESPACE_URL, "urn:hitotsu:profile")
_EVENTS = uuid5(NAMESPACE_URL, "urn:hitotsu:event")


def _name(*parts: object) -> str:
    # Each part is preceded by its length, so that different parts give different names.
    return "".join(f"{len(text)}:{text}" for text in map(str, parts))


def profile_id(system: str, customer_id: object) -> str:
    """The profile id of a source system's customer; equal arguments always give the same id."""
    return str(uuid5(_PROFILES, _name(system, customer_id)))


def event_id_for(
    system: str, store: str, terminal: str, epoch: int, sequence: int, kind: str
) -> str:
    """The id of an event of a receipt; equal arguments always give the same id.

    `kind` distinguishes the events of one receipt.
    """
    return str(uuid5(_EVENTS, _name(system, store, terminal, epoch, sequence, kind)))


def uuid7() -> str:
    """A new id that sorts by time (UUIDv7, RFC 9562), for events without a receipt number."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    # 12 bits of the fraction of a millisecond keep ids of one process in order.
    fraction = nanoseconds * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    return str(UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | random))
