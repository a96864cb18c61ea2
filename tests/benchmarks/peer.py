"""How fast is somebody else? One process of its own, that says when it began and ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from infra.process import tail
from tests.benchmarks import filling, usage
from tests.benchmarks.peers import tables
from tests.benchmarks.result import Result
from tests.benchmarks.servers import PREFIX, ROOT, Servers
from tests.benchmarks.workload import Load, Shape

PATIENCE_SECONDS = 600.0
_MODULES = "tests.benchmarks.peers"


class Failed(Exception):
    """A peer ended without having done the work."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A command, and how its end state is looked at."""

    name: str
    arguments: tuple[str, ...]
    prefix: bool = False  # gets only the first events
    stores: bool = True


PEERS = (
    Peer("faust_event", (f"{_MODULES}.faust_stock", "event"), prefix=True),
    Peer("faust_take", (f"{_MODULES}.faust_stock", "take")),
    Peer("loop", (f"{_MODULES}.loop",)),
    Peer("bytewax", ("bytewax.run", f"{_MODULES}.bytewax_flow")),
    Peer("limit_consume", (f"{_MODULES}.limits", "consume"), stores=False),
    Peer("limit_decode", (f"{_MODULES}.limits", "decode"), stores=False),
    Peer("limit_copy", (f"{_MODULES}.limits", "copy"), stores=False),
)


def run(servers: Servers, peer: Peer, load: Load, filled: Shape | None = None) -> Result:
    """Fresh tables of the peer's own, `filled` beforehand or empty; the load is in the topics."""
    expected = load.prefix if peer.prefix else load.expected
    servers.postgres.execute(tables.DDL)
    if filled is not None and peer.stores:
        filling.fill_peers(servers.postgres, filled)
    servers.settle()
    log = servers.folder / f"{peer.name}.log"
    topics = [PREFIX + name if peer.prefix else name for name in load.topics]
    env = {
        "BENCH_KAFKA": servers.endpoints.kafka, "BENCH_POSTGRES": servers.endpoints.postgres,
        "BENCH_TOPICS": ",".join(topics), "BENCH_EVENTS": str(expected.messages),
    }  # fmt: skip
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *peer.arguments], stdout=subprocess.PIPE, stderr=errors,
            env={**servers.env, **env}, cwd=ROOT,
        )  # fmt: skip
    overdue = threading.Timer(PATIENCE_SECONDS, process.kill)
    overdue.start()
    try:
        result = _measured(servers, peer, load.name, expected.messages, process, log)
    finally:
        overdue.cancel()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    if peer.stores:
        expected.compare(servers.postgres, peer.name, tables.SELECTS)
    elif peer.name == "limit_copy":
        _check_copied(servers, expected.messages)
    return result


def _measured(
    servers: Servers, peer: Peer, workload: str, events: int, process: subprocess.Popen[bytes],
    log: Path,
) -> Result:  # fmt: skip
    began = _said(process, b"FIRST", log)
    own, postgres = usage.cpu_seconds([process.pid]), servers.cpu_of("postgres")
    ended = _said(process, b"DONE", log)
    return Result(
        peer.name, workload, events, ended - began, usage.cpu_seconds([process.pid]) - own,
        servers.cpu_of("postgres") - postgres, usage.most_memory_mib([process.pid]),
    )  # fmt: skip


def _said(process: subprocess.Popen[bytes], word: bytes, log: Path) -> float:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return float(line.split()[1])
    raise Failed(f"{log.stem} did not say {word.decode()}\n{tail(log)}")


def _check_copied(servers: Servers, events: int) -> None:
    row = servers.postgres.execute("select count(*) from peers.copied").fetchone()
    if row is None or row[0] != events:
        raise Failed(f"limit_copy copied {row}, not {events}")
