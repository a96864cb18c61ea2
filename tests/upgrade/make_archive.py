"""Makes the archive of an older release's stack, by that release's own code. Run once.

    git worktree add OLD <commit> && make -C OLD install
    PYTHONPATH=OLD OLD/.venv/bin/python tests/upgrade/make_archive.py ARCHIVE

The stack is brought up by `hitotsu up` of that checkout, given data through its gateway, commands
and desk, and stopped. Kafka ends before the last two commands, so that their facts stay in the
outbox. `manifest.json` in the archive says what was told and answered.
"""

from __future__ import annotations

import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from misfits import tell_misfits  # beside this file, which runs as a script

from services.sdk import Buffer, Client, delivery
from services.sdk.delivery import Line, Post, Reply  # by the names of that release
from tests.services.identity.weighing import rules

COFFEE, TEA, SHOP = "4901234567894", "4909876543210", "S001"
LONG_AGO = "2026-10-01T10:00:00+09:00"
# logs of an outage have tracebacks; programs and the rest are made anew by each start
LEFT_OUT = {"cache", "logs", "lock", "tmp", "postmaster.opts"}
Event = dict[str, Any]


def main(archive: Path) -> None:
    """Everything, from `up` to the archive."""
    with tempfile.TemporaryDirectory(prefix="hitotsu-old-") as folder:
        os.chmod(folder, 0o711)  # Postgres of root runs as another user
        home = Path(folder) / "home"
        hitotsu("up", "--no-registry", "--provider", "native", home=home)
        try:
            made = Shop(home, Path(folder) / "till.buffer").trade()
        finally:
            hitotsu("down", home=home)
        made["packed_at"] = datetime.now(UTC).isoformat()
        (Path(folder) / "manifest.json").write_text(json.dumps(made, indent=1, ensure_ascii=False))
        pack(Path(folder), archive)


def hitotsu(*words: str, home: Path, **env: str) -> str:
    """Runs the command line of the release on PYTHONPATH; what it printed."""
    command = [sys.executable, "-m", "services.cli", *words]
    if words[0] in ("up", "down", "status"):
        command += ["--home", str(home)]
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"hitotsu {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


class Shop:
    """A stack with people who trade in it."""

    def __init__(self, home: Path, buffer: Path) -> None:
        from infra.home import Home
        from infra.stack import Stack
        from services.cli import local

        self.home, self.buffer = home, buffer
        self.status = json.loads(hitotsu("status", "--json", home=home))
        self.env = local.environment(Home(home), Stack(home).endpoints())
        self.facts: list[str] = []
        self.sequence = 0

    def trade(self) -> Event:
        """The data; what the manifest says of it."""
        member, twin, other, third, forgotten = people = [str(uuid4()) for _ in range(5)]
        self.tell(self.first_facts(people))
        self.applied(self.facts)
        misfits = tell_misfits(self, member)
        self.applied(self.facts)
        made: Event = {
            "member": member,
            "misfits": misfits,
            "ahead": twin,
            "sku": {"coffee": COFFEE, "tea": TEA},
            "tokens": {**self.status["tokens"], "till-7": self.issue_token()},
            "decided": self.decide_case(twin, other),
            "open_case_of": third,
            "erased": forgotten,
            "before": self.commands_with_kafka(member),
        }
        hitotsu("erase", forgotten, home=self.home, **self.env)
        made["buffer"] = self.send_half_a_buffer(member)
        self.applied(made["buffer"]["taken"])
        made["shown"] = self.shown(member)
        self.end_kafka()
        made["in_outbox"] = self.commands_without_kafka(made["before"])
        ((unsent,),) = self.sql("select count(*) from hitotsu.outbox where sent_at is null")
        if unsent != len(made["in_outbox"]):
            raise SystemExit(f"{unsent} facts wait in the outbox")
        made["facts"] = self.facts
        return made

    def first_facts(self, people: list[str]) -> list[Event]:
        """Rules of identity, profiles of whom two pairs bear one name, stock, sales, points."""
        member, twin, other, third, forgotten = people
        made = rules("first")
        return [
            self.fact(
                "MatchRulesActivated", rule_set="identity", version=made.version,
                rules=made.text(), valid_from=LONG_AGO,
            ),
            self.profile(member, name="田中 花子", card="2900 0000 0001"),
            self.profile(twin, name="佐藤 健一"),
            self.profile(other, name="佐藤 健一"),
            self.profile(third, name="高田 美咲", phone="090-1111-2222"),
            self.profile(forgotten, name="青木 涼子", card="2900 0000 0009"),
            self.profile(str(uuid4()), name="高田 美咲"),
            self.counted(COFFEE, 40),
            self.counted(TEA, 20),
            *(self.sale(member, COFFEE) for _ in range(3)),
            self.fact(
                "PointsEarned", profile_id=member, transaction_id=str(uuid4()),
                lots=[{"lot_id": str(uuid4()), "points": 1000}],
            ),
            self.ahead(twin),
        ]  # fmt: skip

    def commands_with_kafka(self, member: str) -> dict[str, Event]:
        """Commands whose facts reach the log: what was asked, and the answer by name."""
        hold = {"profile_id": member, "channel": "STORE", "ttl_seconds": 600}
        lines = [{"sku": COFFEE, "location_id": SHOP, "quantity": 3}]
        tea = [{"sku": TEA, "location_id": SHOP, "quantity": 2}]
        asked: dict[str, tuple[str, Event]] = {
            "points hold": ("/v1/points/holds", {**hold, "points": 100}),
            "points hold to capture": ("/v1/points/holds", {**hold, "points": 200}),
            "too many points": ("/v1/points/holds", {**hold, "points": 99_999}),
            "stock hold": ("/v1/stock/reservations", {"channel": "STORE", "lines": lines}),
            "stock hold to commit": ("/v1/stock/reservations", {"channel": "STORE", "lines": tea}),
            "redemption": (
                "/v1/points/redemptions",
                {
                    "profile_id": member,
                    "channel": "STORE",
                    "points": 50,
                    "transaction_id": str(uuid4()),
                },
            ),
        }
        answers = {name: self.command(path, body) for name, (path, body) in asked.items()}
        self.until(lambda: self.sql("select from hitotsu.outbox where sent_at is null") == [])
        self.until(lambda: self.sql("select from hitotsu.points_hold where state = 'applied'"))
        return answers

    def commands_without_kafka(self, before: dict[str, Event]) -> dict[str, Event]:
        """Commands whose facts stay in the outbox."""
        points = before["points hold to capture"]["answer"]["hold_id"]
        stock = before["stock hold to commit"]["answer"]["reservation_id"]
        capture = {"transaction_id": str(uuid4()), "points": 150}
        commit = {"order_id": str(uuid4())}
        return {
            "capture": self.command(f"/v1/points/holds/{points}/capture", capture),
            "commit": self.command(f"/v1/stock/reservations/{stock}/commit", commit),
        }

    def decide_case(self, one: str, other: str) -> Event:
        """Staff says no to a pair of namesakes."""
        found: list[Event] = []
        desk = self.status["services"]["identity"]["url"]

        def there() -> bool:
            if httpx.get(f"{desk}/readyz", trust_env=False).status_code == 200:
                found[:] = self.get("identity", "/v1/identity/cases", profile_id=one)["cases"]
            return bool(found)

        self.until(there)
        path = f"/v1/identity/cases/{found[0]['case_id']}/decline"
        body = {"actor": "desk-3", "reason": "called back"}
        return {**self.command(path, body, "identity", "staff"), "pair": sorted([one, other])}

    def send_half_a_buffer(self, member: str) -> Event:
        """A till sells ten times offline. The gateway takes seven; the till hears of four only."""
        token, url = self.status["tokens"]["till"], self.status["services"]["gateway"]["url"]
        with Client(url, token) as online:
            kept = Buffer(self.buffer, online.sealing_key())
        sales = [self.sale(member, TEA) for _ in range(10)]
        with Client("http://127.0.0.1:9", token, kept) as offline:
            for sale in sales:
                offline.send([sale])
        talk, headers = Line(kept).drain(0.0, {}, {}), {"Authorization": f"Bearer {token}"}
        reply = None
        for size in (4, 3):
            delivery.MOST_EVENTS = size
            if size == 3:  # `drain` has read its size already: a new conversation has the other
                talk = Line(kept).drain(0.0, {}, {})
            post = next(talk)
            assert isinstance(post, Post)
            answer = httpx.post(
                f"{url}/v1/events", content=post.content, trust_env=False,
                headers={**headers, "Content-Type": post.content_type},
            )  # fmt: skip
            reply = Reply(answer.status_code, answer.content)
            assert reply.status == 202, answer.text
            if size == 4:
                talk.send(reply)
        assert len(kept) == 6
        kept.close()
        ids = [sale["meta"]["event_id"] for sale in sales]
        return {"sales": ids, "taken": ids[:7], "waiting": ids[4:]}

    def issue_token(self) -> str:
        """A token of a till of its own."""
        scopes = ("events:write", "channel:STORE", "system:pos", "store:*", "stock:read")
        return hitotsu("token", "till-7", *scopes, home=self.home, **self.env).strip()

    def shown(self, member: str) -> Event:
        """What the API says before the end."""
        return {
            "member": self.get("api", f"/v1/members/{member}"),
            "points": self.get("api", f"/v1/members/{member}/points"),
            "stock": {sku: self.get("api", f"/v1/stock/{sku}") for sku in (COFFEE, TEA)},
        }

    def end_kafka(self) -> None:
        """The broker stops cleanly, under services that go on."""
        pid = self.status["servers"]["kafka"]["pid"]
        os.kill(pid, signal.SIGTERM)
        self.until(lambda: not _runs(pid))

    def profile(self, profile: str, name: str, **identifiers: str) -> Event:
        """A profile as a source system registers it."""
        kinds = [{"kind": k, "value": v, "verified": True} for k, v in identifiers.items()]
        return self.fact(
            "ProfileRegistered", profile_id=profile, source_system="pos", registered_at=LONG_AGO,
            name=name, identifiers=kinds,
        )  # fmt: skip

    def counted(self, sku: str, quantity: int) -> Event:
        """So many lie in the shop."""
        return self.fact(
            "StockCounted", sku=sku, location_id=SHOP, quantity=quantity, counted_at=LONG_AGO
        )

    def sale(
        self, profile: str, sku: str, transaction_id: str | None = None, units: int = 1
    ) -> Event:
        """Units cross the counter."""
        paid = 110 * units
        line = {
            "line_no": 1, "sku": sku, "quantity": units, "unit_price": 110, "net_paid": paid,
            "fulfilment": "IMMEDIATE", "is_gift": False,
        }  # fmt: skip
        return self.fact(
            "PurchaseCompleted", transaction_id=transaction_id or str(uuid4()),
            profile_id=profile, location_id=SHOP, currency="JPY", total=paid, tax=10 * units,
            lines=[line], tenders=[{"kind": "CASH", "amount": paid}],
        )  # fmt: skip

    def ahead(self, profile: str) -> Event:
        """Points of a till whose clock is an hour ahead."""
        earned = self.fact(
            "PointsEarned", profile_id=profile, transaction_id=str(uuid4()),
            lots=[{"lot_id": str(uuid4()), "points": 70}],
        )  # fmt: skip
        earned["meta"]["occurred_at"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        return earned

    def fact(self, name: str, /, **fields: Any) -> Event:
        """An event as a producer sends it, a few minutes old."""
        self.sequence += 1
        at = datetime.now(UTC) - timedelta(minutes=10) + timedelta(seconds=self.sequence)
        event_id = str(uuid4())
        meta = {
            "event_id": event_id,
            "occurred_at": at.isoformat(),
            "producer": {"system": "pos", "channel": "STORE", "store_id": SHOP},
        }
        self.facts.append(event_id)
        return {"type": name, "meta": meta, **fields}

    def tell(self, events: list[Event]) -> None:
        """Sends facts through the gateway."""
        url, token = self.status["services"]["gateway"]["url"], self.status["tokens"]["operator"]
        with Client(url, token) as client:
            results = client.send(events)
        if results.accepted != len(events):
            raise SystemExit(f"not all was accepted: {results}")

    def command(
        self, path: str, body: Event, service: str = "commands", who: str = "till"
    ) -> Event:
        """Asks for a decision under a key of its own; all that is needed to ask again."""
        key = str(uuid4())
        answer = httpx.post(
            self.status["services"][service]["url"] + path, json=body, trust_env=False, timeout=30,
            headers={
                "Authorization": f"Bearer {self.status['tokens'][who]}", "Idempotency-Key": key
            },
        )  # fmt: skip
        asked = {"service": service, "who": who, "path": path, "body": body, "key": key}
        return {**asked, "status": answer.status_code, "answer": answer.json()}

    def get(self, service: str, path: str, **parameters: str) -> Event:
        """Reads as the operator, who may see everything."""
        answer = httpx.get(
            self.status["services"][service]["url"] + path, params=parameters, trust_env=False,
            headers={"Authorization": f"Bearer {self.status['tokens']['operator']}"}, timeout=30,
        )  # fmt: skip
        if answer.status_code != 200:
            raise SystemExit(f"{path}: {answer.text}")
        found: Event = answer.json()
        return found

    def applied(self, events: list[str]) -> None:
        """Waits until these events are applied."""
        known = "select from main.ledger where event_id = any(%s::uuid[])"
        self.until(lambda: len(self.sql(known, events)) == len(events))

    def sql(self, statement: str, *values: object) -> list[Any]:
        """Rows of the stack's Postgres."""
        with psycopg.connect(self.env["HITOTSU_POSTGRES"], autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    @staticmethod
    def until(true: Callable[[], object], seconds: float = 90) -> None:
        """Waits until it is so."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit("it did not come to pass")
            time.sleep(0.2)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def pack(folder: Path, archive: Path) -> None:
    """One tar of the home, the buffer and the manifest, without owners and times."""
    with (
        lzma.open(archive, "wb", preset=9) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(_files(folder)):
            tar.add(path, path.relative_to(folder), recursive=False, filter=_plain)
    sys.stdout.write(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB\n")


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in LEFT_OUT:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _files(path)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
