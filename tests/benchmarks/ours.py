"""How fast is the product? Two projectors as anybody starts them, all projections, Redis on.

They are started over empty topics and given time to share the partitions. Then they are frozen
while the events are appended, and thawed together: that moment starts the clock, so that it holds
everything from the first fetch on, and neither start-up nor a producer beside them.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psycopg

from infra.home import free_port
from infra.process import tail
from projections.core.redis_rows import hash_key
from projections.core.sql import visible
from projections.point_balance import entry, projection
from tests.benchmarks import sending, usage
from tests.benchmarks.oracle import Connection, WrongState
from tests.benchmarks.result import Result
from tests.benchmarks.servers import Servers
from tests.benchmarks.trees import THIS, Tree
from tests.benchmarks.workload import Load

WORKERS = 2
LONGEST_FREEZE_SECONDS = 8.0  # Kafka takes a member that is silent for 10 s for dead
PATIENCE_SECONDS = 180.0
LOOK_SECONDS = 0.02
REDIS_POSITION = "hitotsu:position:main"
REDIS_FILLED = "hitotsu:generation:main"
HELD = """
select count(*) filter (where owner is not null), count(distinct owner), sum(epoch)
from hitotsu.checkpoint where grp = 'main'
"""
SHARES = (
    "select count(*) from hitotsu.checkpoint where grp = 'main' and topic = any(%s) group by owner"
)
NEXT_OFFSETS = "select coalesce(sum(next_offset), 0) from hitotsu.checkpoint where grp = 'main'"
COUNTS = "select sum(applied), sum(duplicate), sum(conflict), sum(dead_letter), sum(next_offset)"
SELECTS = {
    "event_ids": "select encode(uuid_send(event_id), 'hex') from main.ledger where partition >= 0",
    "balance": "select encode(uuid_send(profile_id), 'hex'), sum(points)::bigint"
    " from main.point_entry group by 1",
    "stock": "select location_id, sku, on_hand from main.stock_cell",
    "bought": "select encode(uuid_send(owner_id), 'hex'), line->>1, max(occurred_at)"
    " from main.sale, json_each(documents::json) told, json_array_elements(told.value->9) line"
    " group by 1, 2",
}
# of a tree whose purchases are rows of their own
BOUGHT_BEFORE = (
    "select encode(uuid_send(owner_id), 'hex'), sku, max(occurred_at)"
    " from main.purchase, unnest(skus) sku group by 1, 2"
)
LOOKED_UP = 200
POINTS = [part.name for part in visible(entry)].index("points")


class Unfit(Exception):
    """The run says nothing: a worker left, stood still, or was frozen for too long."""


class Workers:
    """The product's own command, as often as asked for, of this tree or of another."""

    def __init__(self, servers: Servers, many: int = WORKERS, tree: Tree = THIS) -> None:
        self._servers, self._tree = servers, tree
        self._ports = [free_port() for _ in range(many)]
        self._running: list[subprocess.Popen[bytes]] = []
        self._log = Path(servers.folder / "projectors.log")

    def __enter__(self) -> Self:
        for number, port in enumerate(self._ports, 1):
            env = {"HITOTSU_METRICS_PORT": str(port), "HITOTSU_INSTANCE": f"projector-{number}"}
            with self._log.open("ab") as log:
                self._running.append(
                    subprocess.Popen(
                        [self._tree.python, "-m", "services.projector"], stdout=log, stderr=log,
                        env={**self._tree.env(self._servers.env), **env}, cwd=self._tree.folder,
                    )
                )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._running]

    def signal(self, number: int) -> None:
        """To all of them that still run."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(number)

    def wait_until_shared(self) -> None:
        """Every partition has an owner, every worker has some, Redis is filled, and it stays so."""
        wanted, since, last = self._servers.partitions(), time.monotonic(), None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.check()
            row = self._servers.postgres.execute(HELD).fetchone()
            shared = row is not None and row[:2] == (wanted, len(self._running))
            if row != last or not shared or not self._ready():
                since, last = time.monotonic(), row
            if time.monotonic() - since > 3.0:
                return
            if time.monotonic() > deadline:
                raise Unfit(f"partitions were not shared: {row}\n{tail(self._log)}")
            time.sleep(0.1)

    def check(self) -> None:
        """None of them has left."""
        if any(process.poll() is not None for process in self._running):
            raise Unfit(f"a projector left\n{tail(self._log)}")

    def wait_for(self, reached: Callable[[], int], wanted: int) -> float:
        """The moment at which so many events were there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := reached()) < wanted:
            self.check()
            if time.monotonic() > deadline:
                raise Unfit(f"the projectors stand still at {found:,} of {wanted:,}")
            time.sleep(LOOK_SECONDS)
        return time.time()

    def _ready(self) -> bool:
        if not self._servers.redis.exists(REDIS_FILLED):
            return False
        try:
            for port in self._ports:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).close()
        except (OSError, urllib.error.URLError):
            return False
        return True


def run(servers: Servers, load: Load, tree: Tree = THIS) -> Result:
    """Sends the load to frozen workers, thaws them, waits for Postgres and for Redis."""
    with Workers(servers, tree=tree) as workers:
        workers.wait_until_shared()
        servers.settle()
        workers.signal(signal.SIGSTOP)
        frozen = time.monotonic()
        sending.send(servers.endpoints.kafka, load.records)
        if time.monotonic() - frozen > LONGEST_FREEZE_SECONDS:
            raise Unfit("sending took so long that Kafka would take frozen workers for dead")
        many = load.expected.messages
        own, postgres = usage.cpu_seconds(workers.pids), servers.cpu_of("postgres")
        cache, began = servers.cpu_of("redis"), time.time()
        workers.signal(signal.SIGCONT)
        stored = workers.wait_for(lambda: _in_postgres(servers), many)
        visible = workers.wait_for(lambda: _in_redis(servers), many)
        result = Result(
            "ours", load.name, many, stored - began, usage.cpu_seconds(workers.pids) - own,
            servers.cpu_of("postgres") - postgres, usage.most_memory_mib(workers.pids),
        )  # fmt: skip
        result.more = {
            "visible_in_redis": many / (visible - began),
            "most_partitions": _largest_share(servers, load),
            "redis_cpu": (servers.cpu_of("redis") - cache) * 1e6 / many,
        }
        if tree is THIS:  # how a row looks in Redis is a tree's own business
            _check_redis(servers, load)
    _check(servers, load, tree)
    return result


def catch_up(servers: Servers, workers: Workers, append: Callable[[], int]) -> int:
    """Events a second of workers that find all of it waiting, until Postgres has every one."""
    workers.wait_until_shared()
    servers.settle()
    workers.signal(signal.SIGSTOP)
    frozen = time.monotonic()
    many = append()
    if time.monotonic() - frozen > LONGEST_FREEZE_SECONDS:
        raise Unfit("sending took so long that Kafka would take frozen workers for dead")
    began = time.time()
    workers.signal(signal.SIGCONT)
    return round(many / (workers.wait_for(lambda: _in_postgres(servers), many) - began))


def _largest_share(servers: Servers, load: Load) -> int:
    """How many of the load's partitions the busier worker had."""
    rows = servers.postgres.execute(SHARES, [list(load.topics)]).fetchall()
    return max(int(row[0]) for row in rows)


def _in_postgres(servers: Servers) -> int:
    row = servers.postgres.execute(NEXT_OFFSETS).fetchone()
    return int(row[0]) if row else 0


def _in_redis(servers: Servers) -> int:
    return sum(int(offset) for offset in servers.redis.hvals(REDIS_POSITION))  # type: ignore[union-attr]


def _check(servers: Servers, load: Load, tree: Tree) -> None:
    """Verdicts and tables."""
    expected = load.expected
    counted = servers.postgres.execute(f"{COUNTS} from hitotsu.checkpoint where grp = 'main'")
    fresh = len(expected.ledger)
    wanted = (fresh, expected.messages - fresh, 0, 0, expected.messages)
    found = tuple(int(count) for count in counted.fetchone() or ())
    if found != wanted:
        raise WrongState(f"{tree.name}: verdicts {found}, not {wanted}")
    try:
        expected.compare(servers.postgres, tree.name, _selects(servers.postgres))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        if tree is THIS:
            raise
        raise WrongState(f"{tree.name}: its tables cannot be compared: {error}") from None


def _check_redis(servers: Servers, load: Load) -> None:
    """Some of what Redis holds, at the moment it says that it holds all."""
    for profile_id, points in list(load.expected.balance.items())[:LOOKED_UP]:
        text = profile_id.hex()
        dashed = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
        entries = servers.redis.hvals(hash_key(entry, projection.version, dashed))
        held = sum(json.loads(bytes(one).partition(b"|")[2])[POINTS] for one in entries)  # type: ignore[union-attr]
        if held != points:
            raise WrongState(f"ours: Redis holds {held} for a balance of {points}")


def _selects(connection: Connection) -> dict[str, str]:
    """What a tree has stored, asked of the tables that it has."""
    row = connection.execute("select to_regclass('main.sale') is not null").fetchone()
    return SELECTS if row and row[0] else {**SELECTS, "bought": BOUGHT_BEFORE}
