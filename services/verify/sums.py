"""Compares checkpoints' counts, sizes of the event ledger, and dead letters, by partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from services.runtime.letters_about import is_about
from services.verify.judge import ENGINE, Letter, LogJudge
from services.verify.log import Place
from services.verify.report import Difference, VerifyReport
from services.verify.snapshot import VerifySnapshot

VERDICTS = ("applied", "duplicate", "conflict", "dead_letter")


def compare(
    snapshot: VerifySnapshot, judge: LogJudge, places: Iterable[Place], report: VerifyReport
) -> bool:
    """Adds differences in counts, ledger size and dead letters of `places` to the report.

    Returns whether the event ledger may have events that are not in the log.
    """
    listed = list(places)
    held = snapshot.ledger_size({topic for topic, _ in listed})
    for place in listed:
        counted, judged = snapshot.counts[place], judge.counts.get(place, Counter())
        name = f"{place[0]}-{place[1]}"
        _same(report, "checkpoint", (name, "sum"), counted["next_offset"], _sum(counted))
        for verdict in VERDICTS:
            _same(report, "checkpoint", (name, verdict), judged[verdict], counted[verdict])
        _same(report, "ledger rows", (name,), counted["applied"], held.get(place, 0))
    judge.documents.finish(listed)
    _letters(snapshot, judge, set(listed), report)
    expected = sum(judge.counts[place]["applied"] for place in listed if place in judge.counts)
    return sum(held.values()) + judge.unknown > expected


def _sum(counted: dict[str, int]) -> int:
    return sum(counted[verdict] for verdict in VERDICTS)


def _same(
    report: VerifyReport, table: str, key: tuple[str, ...], expected: Any, found: Any
) -> None:
    if expected != found:
        report.add(Difference(ENGINE, table, key, expected, found))


def _letters(
    snapshot: VerifySnapshot, judge: LogJudge, places: set[Place], report: VerifyReport
) -> None:
    """Compares the dead letters: the records, the stages, and the records' keys and values."""
    found = {at: letter for at, letter in snapshot.letters.items() if at[0] in places}
    for place, offset in sorted(found.keys() | judge.letters.keys()):
        if offset >= snapshot.counts[place]["next_offset"]:
            continue
        one, other = judge.letters.get((place, offset)), found.get((place, offset))
        key = (f"{place[0]}-{place[1]}@{offset}",)
        if one and other and other[2] is None and _erased(place[0], one, judge.model.erased):
            one = (*one[:2], None)  # an erasure empties the values of the person's dead letters
        _same(report, "dead_letter", key, _said(one), _said(other))


def _erased(topic: str, letter: Letter, erased: Iterable[bytes]) -> bool:
    """Whether the dead letter is about a person who was erased."""
    return any(is_about(subject, topic, *letter[1:]) for subject in erased)


def _said(letter: Letter | None) -> dict[str, Any] | None:
    if letter is None:
        return None
    stage, key, value = letter
    return {"stage": stage, "key": key and key.hex(), "value": value and value.hex()}
