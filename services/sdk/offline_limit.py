"""How many points may a till take while the line is down? What it was told while it was up."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx


class FloorLimit:
    """A terminal's limit of one offline redemption, in points, kept in a file over restarts.

    Unknown until it was asked for once: then nothing may be taken unasked.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def refresh(self, commands: str, token: str, store_id: str, terminal_id: str) -> int:
        """Asks for the limit in force and keeps it; raises `httpx.HTTPError` without an answer."""
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
        """The limit last heard of; 0 when none was, or the file cannot be read."""
        try:
            return int(json.loads(self._path.read_text(encoding="utf-8"))["per_redemption"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def allows(self, points: int) -> bool:
        """Whether a redemption of so many points may be taken unasked."""
        return 0 < points <= self.points
