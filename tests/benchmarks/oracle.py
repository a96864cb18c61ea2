"""What must have come of the events? Told from what was generated, apart from every entrant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from schemas.generated.events import Event, PointsEarned, PurchaseCompleted

Connection = psycopg.Connection[Any]
SHOWN = 3


class WrongState(Exception):
    """An entrant ended in a state that does not follow from the events."""


@dataclass(slots=True)
class Expected:
    """Ledger, balances, stock, and what each member bought and when last."""

    messages: int = 0
    ledger: dict[bytes, tuple[bytes, int, int]] = field(default_factory=dict)
    old: dict[bytes, tuple[bytes, int, int]] = field(default_factory=dict)  # before the clock
    balance: dict[bytes, int] = field(default_factory=dict)
    stock: dict[tuple[str, str], int] = field(default_factory=dict)
    bought: dict[tuple[bytes, str], int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """One event; resends are not told."""
        at = event.meta.occurred_at
        if isinstance(event, PointsEarned):
            points = sum(lot.points for lot in event.lots)
            self.ledger[event.meta.event_id] = (event.profile_id, at, points)
            self.balance[event.profile_id] = self.balance.get(event.profile_id, 0) + points
        elif isinstance(event, PurchaseCompleted) and event.profile_id is not None:
            self.ledger[event.meta.event_id] = (event.profile_id, at, 0)
            for line in event.lines:
                cell = (event.location_id, line.sku)
                self.stock[cell] = self.stock.get(cell, 0) - line.quantity
                taken = (event.profile_id, line.sku)
                self.bought[taken] = max(self.bought.get(taken, 0), at)

    def rows(self) -> dict[str, Iterator[str]]:
        """Each table as lines of text."""
        return {
            "event_ids": (i.hex() for i in self.ledger),
            "ledger": (
                f"{i.hex()}\t{member.hex()}\t{at}\t{points}"
                for i, (member, at, points) in {**self.old, **self.ledger}.items()
            ),
            "balance": (f"{member.hex()}\t{points}" for member, points in self.balance.items()),
            "stock": (f"{place}\t{sku}\t{left}" for (place, sku), left in self.stock.items()),
            "bought": (f"{who.hex()}\t{sku}\t{at}" for (who, sku), at in self.bought.items()),
        }

    def compare(self, connection: Connection, entrant: str, selects: dict[str, str]) -> None:
        """Every row of every table named; raises `WrongState` with the first that differ."""
        rows = self.rows()
        for table, select in selects.items():
            wanted, found = sorted(rows[table]), sorted(_stored(connection, select))
            if wanted != found:
                raise WrongState(f"{entrant}: {table}: {_difference(wanted, found)}")


def _stored(connection: Connection, select: str) -> Iterable[str]:
    with connection.cursor().copy(f"copy ({select}) to stdout") as copy:
        text = b"".join(bytes(part) for part in copy).decode()
    return text.splitlines()


def _difference(wanted: list[str], found: list[str]) -> str:
    missing, extra = set(wanted) - set(found), set(found) - set(wanted)
    return (
        f"{len(wanted)} rows expected, {len(found)} found;"
        f" missing {sorted(missing)[:SHOWN]}, not expected {sorted(extra)[:SHOWN]}"
    )
