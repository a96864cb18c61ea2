"""Compares the totals over all answers, which would show lost or doubled events."""

from __future__ import annotations

from services.demo.questions.questionnaire import PendingQuestion


async def ask(asking: PendingQuestion) -> None:
    expected: dict[str, int] = dict(asking.oracle.expected("totals"))
    expected["members"] += len(asking.answers.apart)
    asking.row.mapping("", expected, asking.tally)
    asking.answered()
