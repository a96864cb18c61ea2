"""Can somebody who lost a partition still write? Owners swapped by force, half of them frozen.

A worker is put out of its group behind its back. Every other time it is stopped in the middle of
its transaction first, and goes on when another has taken over.
"""

from __future__ import annotations

import signal
import time
from uuid import UUID

from tests.faults.gate import Gate
from tests.faults.membership import held_by, member_with, put_out
from tests.faults.scene import Order, Report, Say, Scene, scene
from tests.faults.verdict import Line, in_time

FULL, RATE, SECONDS_EACH = 100, 300, 18.0
PROCEED_SECONDS, FROZEN_AT_LEAST, LINGER_SECONDS, ATTEMPTS = 20.0, 6.0, 1.0, 40
Place = tuple[str, int]


def swaps(order: Order, say: Say, plant: str = "") -> Report:
    """So many swaps; the new owner must go on, and nothing be counted twice."""
    report = Report("swaps", order.size, order.seed, planted=bool(plant))
    events = Order(round(order.size * SECONDS_EACH * RATE) + 6_000, order.seed)
    with scene(events, say, rate=RATE, plant=plant) as play:
        play.begin()
        gate = Gate(play.stage.endpoints.postgres, play.crew)
        frozen = 0
        try:
            for number in range(order.size):
                inside = number % 2 == 0
                if _swapped(play, gate, inside):
                    report.faults += 1
                    frozen += inside
                if play.sender.done:
                    break
        finally:
            gate.close()
        judged = play.end()
        report.lines = [
            *play.lines(judged), Line("owners swapped", order.size, order.size - report.faults),
            in_time(play.progress.recoveries(), 10.0),
        ]  # fmt: skip
        report.notes = [
            f"{frozen} of them frozen inside the transaction",
            *(f"left: {why} ({many})" for why, many in play.crew.reasons().items()),
        ]
    return report


def _swapped(play: Scene, gate: Gate, inside: bool) -> bool:
    """One swap; two times in three the group gives back what was taken away: it is tried again."""
    for _ in range(ATTEMPTS):
        play.wait_claimed(2)
        before = _owner_by_place(play)
        done = _frozen(play, gate, before) if inside else _put_out(play, before)
        if done:
            return True
        time.sleep(1.0)
    return False


def _put_out(play: Scene, before: dict[Place, UUID]) -> bool:
    name = play.chance.choice(sorted(play.crew.members))
    member = _member(play, name)
    if member is None:
        return False
    with play.progress.fault("put out"):
        put_out(play.stage.endpoints.kafka, member)
    return _taken_over(play, before, 4.0)


def _frozen(play: Scene, gate: Gate, before: dict[Place, UUID]) -> bool:
    with gate.shut():
        name, _ = gate.caught()
        # whoever wakes up later shall have more in hand than the one batch
        play.pause(LINGER_SECONDS)
        member = _member(play, name)
        if member is None:
            return False
        play.crew.signal(name, signal.SIGSTOP)
        began = time.monotonic()
    with play.progress.fault("frozen inside"):
        put_out(play.stage.endpoints.kafka, member)
    try:
        done = _taken_over(play, before, PROCEED_SECONDS)
        time.sleep(max(0.0, FROZEN_AT_LEAST - (time.monotonic() - began)))
    finally:
        play.crew.signal(name, signal.SIGCONT)
    play.say(f"{name} frozen for {time.monotonic() - began:.1f} s, swapped: {done}")
    return done


def _member(play: Scene, name: str) -> str | None:
    port = play.crew.members[name].port
    try:
        return member_with(play.stage.endpoints.kafka, held_by(port))
    except OSError:
        # it starts just now
        return None


def _taken_over(play: Scene, before: dict[Place, UUID], seconds: float) -> bool:
    """Whether another owner claims a partition and stores something there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = _owner_by_place(play)
        if any(now.get(place, owner) != owner for place, owner in before.items()):
            return True
        time.sleep(0.05)
    return False


def _owner_by_place(play: Scene) -> dict[Place, UUID]:
    return {place: owner for owner, places in play.stored.owners().items() for place in places}
