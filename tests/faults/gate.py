"""How is a transaction held open at a chosen place? By Postgres itself, never by the product.

Triggers on the checkpoint and on the dead letters take a shared advisory lock; whoever shuts the
gate holds it alone, and the next transaction to come by waits in the middle of itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg

from tests.faults.crew import Crew

CHECKPOINT, DEAD_LETTER = 7001, 7002
TRIGGERS = f"""
create or replace function hitotsu.pass_gate() returns trigger language plpgsql as $$ begin
    perform pg_advisory_xact_lock_shared(tg_argv[0]::bigint); return new;
end $$;
create or replace trigger gate before update on hitotsu.checkpoint for each row
    when (old.next_offset is distinct from new.next_offset)
    execute function hitotsu.pass_gate({CHECKPOINT});
create or replace trigger gate before insert on hitotsu.dead_letter for each row
    execute function hitotsu.pass_gate({DEAD_LETTER});
"""
WAITING = """
select pid, client_port from pg_locks join pg_stat_activity using (pid)
where locktype = 'advisory' and not granted and objid = %s
"""


class Gate:
    """One gate in one database."""

    def __init__(self, postgres: str, crew: Crew) -> None:
        self._connection = psycopg.connect(postgres, autocommit=True)
        self._connection.execute(TRIGGERS)
        self._crew = crew

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def shut(self, place: int = CHECKPOINT) -> Iterator[None]:
        """Nobody passes; who is inside already is let out first."""
        self._connection.execute("select pg_advisory_lock(%s)", [place])
        try:
            yield
        finally:
            self._connection.execute("select pg_advisory_unlock(%s)", [place])

    def caught(self, place: int = CHECKPOINT, seconds: float = 20.0) -> tuple[str, int]:
        """The worker whose transaction waits at the gate, and its server process."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for backend, port in self._connection.execute(WAITING, [place]):
                name = self._worker_of(port)
                if name is not None:
                    return name, backend
            time.sleep(0.01)
        raise TimeoutError(f"nobody came to gate {place} in {seconds:.0f} s")

    def end(self, backend: int) -> None:
        """Ends a transaction whose sender is dead, before it may go on."""
        self._connection.execute("select pg_terminate_backend(%s, 5000)", [backend])

    def _worker_of(self, port: int) -> str | None:
        for member in list(self._crew.members.values()):
            try:
                process = psutil.Process(self._crew.pid(member.name))
                if any(one.laddr.port == port for one in process.net_connections("tcp")):
                    return member.name
            except psutil.Error:
                continue
        return None
