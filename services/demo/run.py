"""Runs the demo against a running stack: generate, send, wait, compare, report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from services.demo.check.oracle import Oracle
from services.demo.common.answers import Answers
from services.demo.common.bars import Lane, bars
from services.demo.common.comparison import ReportRow
from services.demo.duplicate_pairs import LinkageResult, activate_estimated_rules, linkage_result
from services.demo.questions import (
    balances,
    business_days,
    discrepancies,
    inquiries,
    members,
    purchases,
    receipts,
    stock,
    suppression,
    terminal_gaps,
    totals,
)
from services.demo.questions.questionnaire import PendingQuestion
from services.demo.report import DemoReport
from services.demo.scene import Scene
from services.demo.send import Sender
from services.demo.shop.rows import Rows
from services.demo.wait_for_answers import caught_up, judged, log_ends, routes
from services.runtime.config import Settings

Question = Callable[[PendingQuestion], Awaitable[None]]
QUESTIONS: dict[str, Question] = {
    "members": members.ask,
    "balances": balances.ask,
    "stock": stock.ask,
    "suppression": suppression.ask,
    "inquiries": inquiries.ask,
    "purchases": purchases.ask,
    "receipts": receipts.ask,
    "business days": business_days.ask,
    "discrepancies": discrepancies.ask,
    "terminal_gaps": terminal_gaps.ask,
    "totals": totals.ask,
}


@dataclass(frozen=True, slots=True)
class Place:
    """URLs and tokens of the running stack."""

    settings: Settings
    gateway: str
    commands: str
    api: str
    tokens: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Demo:
    """One run of the demo over one file of generated tables."""

    scale: float
    tables: Path
    place: Place
    console: Console

    async def run(self, *, send: bool = True) -> DemoReport:
        """Runs the demo: sends the events (unless `send` is False) and waits until they are
        visible.

        Then it activates estimated match rules, plays the scene, and compares every answer with the
        oracle.
        """
        oracle = Oracle(self.tables)
        customers = oracle.customers()
        try:
            async with Answers(self.place.api, self.place.tokens["staff"], customers) as answers:
                with bars(self.console) as progress:
                    began = time.monotonic()
                    events = await self._send(progress) if send else 0
                    await self._wait(oracle, answers, progress)
                    await self._judged(oracle, answers, progress)
                    visible = time.monotonic()
                    linked, found = await self._meet(oracle, customers, answers, progress)
                    played = await self._play(oracle, customers, answers)
                    rows = await self._compare(oracle, customers, answers, progress)
            return DemoReport(
                scale=self.scale,
                events=events,
                seconds=visible - began,
                sales_lines=oracle.lines(),
                checking_seconds=time.monotonic() - visible,
                rows=[rows[0], linked, *rows[1:], played],
                met=found,
            )
        finally:
            oracle.close()

    async def _send(self, progress: Progress) -> int:
        rows = Rows(self.tables)
        try:
            place = self.place
            sender = Sender(rows, place.settings, place.gateway, place.tokens, progress)
            return await sender.everything()
        finally:
            rows.close()

    async def _wait(self, oracle: Oracle, answers: Answers, progress: Progress) -> None:
        asked = routes(oracle.customers()[0], oracle.items()[0])
        lane = Lane(progress, "catching up", len(asked))
        await caught_up(answers, asked, await log_ends(self.place.settings.kafka), lane)
        lane.done()

    async def _judged(self, oracle: Oracle, answers: Answers, progress: Progress) -> None:
        """Waits for the points that the club's rules give, which follow from what was applied."""
        await judged(self.place.settings)
        await self._wait(oracle, answers, progress)

    async def _meet(
        self, oracle: Oracle, customers: list[int], answers: Answers, progress: Progress
    ) -> tuple[ReportRow, LinkageResult]:
        """Activates estimated match rules if none are active; returns the linkage result."""
        row, settings = ReportRow("identity"), self.place.settings
        lane = Lane(progress, "rules of identity", 1, unit="profiles")
        if await activate_estimated_rules(settings, lambda *_: None):
            lane.moved(1, 2 * len(customers))
            await self._wait(oracle, answers, progress)
        lane.done()
        found = await linkage_result(settings, answers, customers, row)
        answers.apart = found.apart
        return row, found

    async def _play(self, oracle: Oracle, customers: list[int], answers: Answers) -> ReportRow:
        """Plays the scene; the comparison after it also checks that the scene left no effect."""
        row, place = ReportRow("scene"), self.place
        scene = Scene(answers, row, place.gateway, place.commands, place.tokens)
        await scene.play(customers, oracle.items())
        return row

    async def _compare(
        self, oracle: Oracle, customers: list[int], answers: Answers, progress: Progress
    ) -> list[ReportRow]:
        items = oracle.items()
        rows = []
        tally: Counter[str] = Counter()
        of_pages: dict[str, dict[str, object]] = {}
        sizes = {
            "stock": len(items), "receipts": oracle.sales() // receipts.PAGE_EVERY,
            "business days": oracle.days() // business_days.DAY_EVERY,
            "discrepancies": 1, "terminal_gaps": 1, "totals": 1,
        }  # fmt: skip
        for name, question in QUESTIONS.items():
            row, size = ReportRow(name), sizes.get(name, len(customers))
            lane = Lane(progress, f"? {name}", size, unit="asked")
            pending = PendingQuestion(oracle, answers, row, lane, customers, items, tally, of_pages)
            await question(pending)
            lane.done()
            rows.append(row)
        return rows
