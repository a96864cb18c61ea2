"""The matcher with a bug in it: would the tests see it? `PLANTED` names the bug.

own_offsets   a share's progress speaks of its own partition alone: what others said meanwhile is
              taken for compared by whoever takes the share over
unfenced      progress is written by whoever believes that a share is his
forgetful     a share that is taken over works at once, however little this process knows
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from services.identity import store
from services.identity.shards import Positions, Shares, offset_in
from services.identity_app import __main__


def own_offsets() -> None:
    taken = Shares.take

    def take(
        self: Shares,
        positions: Mapping[int, Positions],
        kept: Mapping[int, Positions] | None = None,
    ) -> None:
        known = self.known
        taken(
            self,
            {
                share: tuple(
                    at if number == share else max(at, offset_in(known, number))
                    for number, at in enumerate(stored)
                )
                for share, stored in positions.items()
            },
            kept,
        )

    Shares.take = take  # type: ignore[method-assign]
    unfenced()


def unfenced() -> None:
    store.fence = _open  # type: ignore[assignment]


def forgetful() -> None:
    Shares.working = property(lambda self: dict(self.held))  # type: ignore[assignment]


async def _open(*_: object) -> None:
    return None


PLANTED: dict[str, Callable[[], None]] = {
    "own_offsets": own_offsets,
    "unfenced": unfenced,
    "forgetful": forgetful,
}

if __name__ == "__main__":
    PLANTED[os.environ["PLANTED"]]()
    __main__.main()
