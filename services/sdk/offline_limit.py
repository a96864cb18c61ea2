"""Stores how many points a till may redeem while it is offline."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx


class FloorLimit:
    """A terminal's limit for one offline redemption, in points, stored in a file.

    Before the first `refresh` it is 0: no offline redemption is allowed.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def refresh(self, commands: str, token: str, store_id: str, terminal_id: str) -> int:
        """Fetches, stores and returns the current limit.

        `commands`: base URL of the commands process. Raises `httpx.HTTPError` if the request fails,
        OSError if the file cannot be written.
        """
        answer = httpx.get(
            f"{commands}/v1/points/offline-limit",
            params={"store_id": store_id, "terminal_id": terminal_id},
            headers={"Authorization": f"Bearer {token}"}, timeout=10.0, trust_env=False,
        )  # fmt: skip
        answer.raise_for_status()
        limit = int(answer.json()["per_redemption"])
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.draft")
        draft.write_text(json.dumps({"per_redemption": limit}), encoding="utf-8")
        draft.replace(self._path)
        return limit

    @property
    def points(self) -> int:
        """The stored limit; 0 when there is none, or the file cannot be read."""
        try:
            return int(json.loads(self._path.read_text(encoding="utf-8"))["per_redemption"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def allows(self, points: int) -> bool:
        """Whether this number of points may be redeemed offline in a single redemption."""
        return 0 < points <= self.points
