"""Runs builds of projections in a separate process beside the projectors.

A projector that starts while projections are being built watches `hitotsu.projection_building`. The
leader among them, elected by an advisory lock, runs `python -m services.rebuild`, which folds these
projections and swaps their tables in. After the swap all these projectors exit, and restart with
the built projections in their group.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from projections.core.fold import Group
from services.projector.progress import under_way
from services.runtime.db import TRY_LOCK, conninfo
from services.runtime.logging import log
from services.runtime.metrics import BUILDING, BUILDING_READ, BUILDING_TOTAL

MODULE = "services.rebuild"
LOOK_SECONDS, AGAIN_SECONDS = 0.5, 3.0
PROGRESS = "select projection, read, total from hitotsu.projection_building where grp = %s"
Connection = psycopg.Connection[tuple[Any, ...]]


class BuildRunner:
    """A thread that watches the builds and, in the leader, runs the build process. `start` does
    nothing if no projection is being built.
    """

    def __init__(
        self, dsn: str, group: Group, building: frozenset[str], leave: Callable[[str], None]
    ) -> None:
        """`group`: with all its projections. `building`: names of those that are being built.

        `leave`: ends this process with a reason, so that it is restarted.
        """
        self._dsn, self._group, self._building, self._leave = dsn, group, building, leave
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="builds", daemon=True)
        for projection in group.projections:
            BUILDING.labels(group.name, projection.name).set(projection.name in building)
            for records in (BUILDING_READ, BUILDING_TOTAL):
                records.labels(group.name, projection.name).set(math.nan)  # NaN: unknown so far

    def start(self) -> None:
        """Starts the thread, if there is a build to watch."""
        if self._building:
            self._thread.start()

    def stop(self) -> None:
        """Ends the thread and the build process; waits for at most 5 s. Another projector may then
        continue the build from its stored progress.
        """
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                try:
                    info = conninfo(self._dsn, group=self._group.name, name="hitotsu-builds")
                    with psycopg.connect(info, autocommit=True) as connection:
                        self._watch(connection)
                except (psycopg.Error, OSError) as error:
                    log.warning("postgres_away", error=type(error).__name__)
                    self._ending.wait(AGAIN_SECONDS)
        finally:
            self._end_process()

    def _watch(self, connection: Connection) -> None:
        leader = False
        while not self._ending.wait(LOOK_SECONDS):
            building = under_way(connection, self._group.name)
            self._publish(connection)
            if built := self._building - building.keys():
                log.info("projection_built", projections=sorted(built))
                self._leave(f"built: {', '.join(sorted(built))}")
                return
            if not leader:
                name = f"hitotsu.builds.{self._group.name}"
                ((leader,),) = connection.execute(TRY_LOCK, [name]).fetchall()
            if leader:
                self._keep_running(building)

    def _keep_running(self, building: Mapping[str, int]) -> None:
        """Starts the build process. After it failed, waits 3 s; the next call starts it again."""
        if self._process is not None:
            code = self._process.poll()
            if code is None or code == 0:
                return
            log.warning("build_ended", code=code, retry_in=AGAIN_SECONDS)
            self._end_process()
            self._ending.wait(AGAIN_SECONDS)
            return
        log.info("build_starts", projections=sorted(building))
        # the build process ends when its standard input is closed, so also with this process
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            env={**os.environ, "HITOTSU_GROUP": self._group.name},
        )

    def _publish(self, connection: Connection) -> None:
        for name, read, total in connection.execute(PROGRESS, [self._group.name]).fetchall():
            if read is not None and total is not None:
                BUILDING_READ.labels(self._group.name, name).set(read)
                BUILDING_TOTAL.labels(self._group.name, name).set(total)

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
