"""The till whose clock was wrong in two weeks."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from services.sdk.clocks import Clocks

_STORE, _TERMINAL = 3, 2
_WEEK = timedelta(days=7)
_WRONG = {date(2001, 3, 5): timedelta(days=400), date(2001, 9, 3): timedelta(days=-400)}
"""How far that till's clock is ahead, by the Monday of the week."""
RIGHT = timedelta()


class WrongWeeks:
    """How far a till's clock is ahead at each of its sales, asked in their order."""

    def __init__(self, store: int, terminal: int) -> None:
        self._weeks = _WRONG if (store, terminal) == (_STORE, _TERMINAL) else {}
        self._seen: set[date] = set()

    def ahead(self, day: date) -> timedelta:
        """How far the clock is ahead at a sale of that day; negative if it is behind.

        Without a sale in a week of the wrong clock, it is wrong at the first sale after the week.
        """
        for monday, ahead in self._weeks.items():
            if day >= monday and (day < monday + _WEEK or monday not in self._seen):
                self._seen.add(monday)
                return ahead
        return RIGHT


class TillClocks(Clocks):
    """The clocks of a till; the one that tells the time shows `ahead` more than it is."""

    def __init__(self) -> None:
        self.ahead = RIGHT

    def told(self) -> datetime:
        """The time that the till shows."""
        return super().told() + self.ahead
