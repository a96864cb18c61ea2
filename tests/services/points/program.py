"""A program whose rules give points: sales go into the log, and what follows is awaited."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx

from projections.core.instants import DAY, micros
from schemas.generated.events.parts import PurchaseLine, ReturnedLine
from tests.services.points.wallet import TOKENS, Wallet
from tests.services.rebuild.road import Road, road

RETURNS = "/v1/points/returns"
ONE_IN_TEN: dict[str, Any] = {"earn": [{"points": 10, "per": 100}]}


class Program(Wallet):
    """A wallet's road where rules, and not tills, give points."""

    def __init__(self, road: Road) -> None:
        self.skus: dict[tuple[UUID, int], str] = {}  # by sale and line
        super().__init__(road)

    def again(self, **more: str) -> None:
        super().again(HITOTSU_ACCRUAL="rules", **more)

    @staticmethod
    def now() -> int:
        return micros(datetime.now(UTC))

    def sets(
        self,
        rules: Mapping[str, Any],
        days_ago: float = 400,
        version: str = "1",
        accrual: str = "RULES",
        program_id: str = "hitotsu-points",
    ) -> None:
        """Rules in force since so many days."""
        valid_from = self.now() - int(days_ago * DAY)
        self.append(
            "ProgramRulesSet", version=version, accrual=accrual, rules=json.dumps(rules),
            valid_from=valid_from, program_id=program_id,
        )  # fmt: skip
        seen = "select 1 from program_rules where version = %s and valid_from = %s"
        self.until(lambda: self.road.sql(seen, version, valid_from))

    def sells(
        self, who: UUID | None, lines: Sequence[tuple[str, int, int]], sale: UUID | None = None,
        flush: bool = True, **more: Any,
    ) -> UUID:  # fmt: skip
        """(sku, units, paid) by line; the sale's id."""
        sale = sale or uuid4()
        self.lists(sale, lines)
        sold = [
            PurchaseLine(
                line_no=no, sku=sku, quantity=units, unit_price=paid // max(1, units), net_paid=paid
            )
            for no, (sku, units, paid) in enumerate(lines, 1)
        ]
        self.collect(
            "PurchaseCompleted", transaction_id=sale.bytes, lines=sold,
            profile_id=who.bytes if who else None, total=sum(line.net_paid for line in sold),
            tenders=[], **more,
        )  # fmt: skip
        if flush:
            self.flush()
        return sale

    def lists(self, sale: UUID, lines: Sequence[tuple[str, int, int]]) -> None:
        """Says which items a sale has, so that a return of it can be sent first."""
        self.skus.update({(sale, no): sku for no, (sku, _, _) in enumerate(lines, 1)})

    def brings(
        self, who: UUID | None, sale: UUID, units: Mapping[int, int], flush: bool = True,
        **more: Any,
    ) -> None:  # fmt: skip
        """A return that is a fact."""
        lines = [
            ReturnedLine(line_no=no, sku=self.skus.get((sale, no), "tea"), quantity=many, refund=1)
            for no, many in units.items()
        ]
        self.collect(
            "PurchaseReturned", transaction_id=sale.bytes, lines=lines,
            profile_id=who.bytes if who else None, **more,
        )  # fmt: skip
        if flush:
            self.flush()

    def asks(
        self, who: UUID, sale: UUID, units: Mapping[int, int], key: str = "", **more: Any
    ) -> httpx.Response:
        """A return that is decided before it is one."""
        lines = [{"line_no": no, "quantity": many} for no, many in units.items()]
        body = {"transaction_id": str(sale), "profile_id": str(who), "lines": lines, **more}
        return self.post(RETURNS, body, key)

    def kinds(self, who: UUID) -> dict[str, int]:
        """The sum of a profile's entries, by kind."""
        statement = """
            select kind, sum(points)::bigint from point_entry where profile_id = %s group by kind
        """
        return dict(self.road.sql(statement, who))

    def quiet(self, purchases: int) -> None:
        """Until so many purchase records are looked at, nothing is due and nothing on its way."""
        self.until(lambda: self._done(purchases), 120)

    def _done(self, purchases: int) -> bool:
        (row,) = self.road.sql(
            """
            select (select coalesce(sum(next_offset), 0) from points_cursor
                    where topic = 'commerce.purchases')::int,
                (select count(*) from points_due where failed is null)::int,
                (select count(*) from outbox where sent_at is null)::int,
                (select count(*) from points_awaited)::int,
                (select count(*) from points_over)::int
            """
        )
        return bool(row[0] >= purchases and not any(row[1:]))


@contextmanager
def program(home: Path) -> Iterator[Program]:
    """Servers, a projector, deciders whose rules give points, and an API of a test's own."""
    with road(home, TOKENS) as own:
        made = Program(own)
        try:
            yield made
        finally:
            made.client.close()
