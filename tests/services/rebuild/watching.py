"""Does a reader see a gap, or a step back? Over HTTP and in Postgres, asking all the time."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import psycopg

from tests.services.rebuild.road import TOKEN, Road
from tests.services.rebuild.trade import WATCHED, WATCHED_ITEM


class Watching:
    """Asks again and again for what only grows; remembers where it did not."""

    def __init__(self, road: Road, api: str) -> None:
        self._road, self._api = road, api
        self.wrong: list[str] = []
        self.asked: dict[str, int] = {}
        self.sources: set[str] = set()
        self._seen: dict[str, int] = {}
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=[reads], daemon=True)
            for reads in (self._over_http, self._in_postgres)
        ]

    def start(self) -> None:
        """Begins once everything watched can be seen."""
        deadline = time.monotonic() + 60
        with self._client() as client:
            while True:
                try:
                    if all(self._asked(client, path) for path in _paths()):
                        break
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, "the API does not show what is watched"
                time.sleep(0.2)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(30)

    def _client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self._api, headers=headers, timeout=20, trust_env=False)

    def _guarded(self, reads: Any) -> None:
        try:
            reads()
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _over_http(self) -> None:
        with self._client() as client:
            while not self._ending.is_set():
                for path in _paths():
                    self._note(path, self._asked(client, path))
                time.sleep(0.005)

    def _asked(self, client: httpx.Client, path: str) -> int | None:
        got = client.get(path)
        if got.status_code != 200:
            if self._seen:
                self.wrong.append(f"{path}: {got.status_code} {got.text[:200]}")
            return None
        answer = got.json()
        self.sources.add(answer["served_from"])
        return _quantity(answer)

    def _in_postgres(self) -> None:
        """Whole answers from one snapshot, opened before the tables are first touched."""
        options = "-c search_path=main,hitotsu"
        with psycopg.connect(
            self._road.endpoints.postgres, autocommit=True, options=options
        ) as connection:
            while not self._ending.is_set():
                connection.execute("begin isolation level repeatable read read only")
                connection.execute("select count(*) from hitotsu.checkpoint")
                time.sleep(0.01)
                row = connection.execute(
                    "select sum(points)::bigint from point_entry where profile_id = any(%s)",
                    [WATCHED],
                ).fetchone()
                connection.execute("commit")
                self._note("postgres", row[0] if row else None)

    def _note(self, what: str, value: int | None) -> None:
        before = self._seen.get(what)
        self.asked[what] = self.asked.get(what, 0) + 1
        if value is None:
            self.wrong.append(f"{what}: nothing, after {before}")
        elif before is not None and value < before:
            self.wrong.append(f"{what}: {value} after {before}")
        else:
            self._seen[what] = value


def _paths() -> list[str]:
    return [f"/v1/stock/{WATCHED_ITEM}", *(f"/v1/members/{one}/points" for one in WATCHED)]


def _quantity(answer: dict[str, Any]) -> int | None:
    data = answer["data"]
    if "locations" in data:
        return sum(one["on_hand"] for one in data["locations"])
    return int(data["balance"]) if data["profiles"] else None
