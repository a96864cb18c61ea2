"""Projector processes that are killed and started again; ended by their pid alone."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from infra.home import free_port

PRODUCT = "services.projector"
ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """Some processes of one kind; whatever ends is started again."""

    def __init__(
        self, env: Mapping[str, str], logs: Path, module: str = PRODUCT, many: int = 2
    ) -> None:
        self._env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        self._logs, self._module = logs, module
        self.ports = [free_port() for _ in range(many)]
        self.starts = 0
        self.codes: list[int] = []
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._guard = threading.Lock()
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """All of them."""
        for number in range(len(self.ports)):
            self._start(number)
        self._keeper.start()

    def kill(self, chance: random.Random) -> int:
        """SIGKILL to one of them that runs, and the pid it had."""
        while True:
            with self._guard:
                alive = [one for one in self._running.values() if one.poll() is None]
                if alive:
                    process = chance.choice(alive)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    return process.pid
            time.sleep(0.05)

    def stop(self) -> None:
        """All of them, gently at first."""
        self._ending.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def reasons(self) -> list[str]:
        """Why processes left of their own accord, as their logs say."""
        said = [f"exit {code}" for code in self.codes]
        for log in sorted(self._logs.glob("projector-*.log")):
            for line in log.read_text(errors="replace").splitlines():
                if '"event": "leaving"' in line:
                    said.append(str(json.loads(line[line.index("{") :])["reason"]))
        return said

    def _start(self, number: int) -> None:
        name = f"projector-{number + 1}"
        env = {"HITOTSU_METRICS_PORT": str(self.ports[number]), "HITOTSU_INSTANCE": name}
        with open(self._logs / f"{name}.log", "ab") as log:
            self._running[number] = subprocess.Popen(
                [sys.executable, "-m", self._module], env={**self._env, **env}, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.starts += 1

    def _keep(self) -> None:
        while not self._ending.is_set():
            with self._guard:
                for number, process in list(self._running.items()):
                    code = process.poll()
                    if code is not None:
                        if code != -signal.SIGKILL:
                            self.codes.append(code)
                        self._start(number)
            time.sleep(0.1)
