"""An older release's stack: unpacked, moved to now, and asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psycopg
from psycopg import sql

from infra.native import server_user
from infra.stack import ROOT, Stack
from services.cli import local_services

ARCHIVE = Path(__file__).parent / "older_stack.tar.xz"
TIMES = """
select c.relname, array_agg(a.attname::text) from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'hitotsu'::regnamespace and c.relkind = 'r'
    and a.atttypid = 'timestamptz'::regtype
group by 1
"""


class OlderStack:
    """The stack of the archive in a folder, under the code of now."""

    def __init__(self, folder: Path) -> None:
        with tarfile.open(ARCHIVE) as tar:
            tar.extractall(folder, filter="tar")
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.buffer = folder / "till.buffer"
        self.old_sales: dict[str, UUID] = {}  # by event id: the transaction
        self.stack = Stack(folder / "home", provider="native", registry=False)
        if server_user.is_root():
            user = server_user.other_user()
            for path in (self.home / "postgres", *(self.home / "postgres").rglob("*")):
                os.chown(path, user.uid, user.gid)

    @property
    def home(self) -> Path:
        """The folder that `--home` names."""
        return self.stack.home.path

    def move_to_now(self) -> None:
        """Moves every time of durable state by the age of the archive; nothing else runs yet.

        Holds run out and answers are trimmed: without this an archive would test its own age.
        """
        self.hitotsu("up", "--no-registry", "--provider", "native", "--servers-only")
        sales = "select event_id::text, transaction_id from main.purchase"
        self.old_sales = dict(self.sql(sales))
        age = datetime.now(UTC) - datetime.fromisoformat(self.manifest["packed_at"])
        with psycopg.connect(self.stack.endpoints().postgres, autocommit=True) as connection:
            for table, columns in connection.execute(TIMES.encode()).fetchall():
                moved = sql.SQL(", ").join(
                    sql.SQL("{0} = {0} + %(age)s").format(sql.Identifier(name)) for name in columns
                )
                connection.execute(
                    sql.SQL("update {} set ").format(sql.Identifier("hitotsu", table)) + moved,
                    {"age": age},
                )

    def hitotsu(self, *words: str) -> str:
        """Runs the command line of now; what it printed. A code other than 0 fails the test."""
        command = [sys.executable, "-m", "services.cli", *words]
        env = dict(os.environ)
        if words[0] in ("up", "down", "status"):
            command += ["--home", str(self.home)]
        else:
            env |= self.env
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    @property
    def env(self) -> dict[str, str]:
        """What services get."""
        return local_services.environment(self.stack.home, self.stack.endpoints())

    def url(self, service: str) -> str:
        """Where a service answers."""
        return str(self.stack.status()["services"][service]["url"])

    def repeat(self, asked: dict[str, Any]) -> httpx.Response:
        """The same command under the same key as the older release was asked."""
        return httpx.post(
            self.url(asked["service"]) + asked["path"],
            json=asked["body"],
            headers={**self.bearer(asked["who"]), "Idempotency-Key": asked["key"]},
            trust_env=False,
            timeout=30,
        )

    def get(self, service: str, path: str, **parameters: str) -> httpx.Response:
        """Reads as the operator, for a purpose."""
        return httpx.get(
            self.url(service) + path,
            params=parameters,
            headers={**self.bearer("operator"), "Purpose": "support"},
            trust_env=False,
            timeout=30,
        )

    def data(self, service: str, path: str, **parameters: str) -> Any:
        """The body of a read that succeeds."""
        answer = self.get(service, path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bearer(self, who: str) -> dict[str, str]:
        """The header with a token that the older release issued."""
        return {"Authorization": f"Bearer {self.manifest['tokens'][who]}"}

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Rows of the stack's Postgres."""
        with psycopg.connect(self.stack.endpoints().postgres, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def logs(self) -> dict[str, str]:
        """Every log of the stack, by file name."""
        return {
            path.name: path.read_text("utf-8", "replace") for path in self.stack.home.logs.iterdir()
        }


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Waits until it is so; fails the test when it does not come to pass."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)
