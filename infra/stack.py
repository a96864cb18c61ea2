"""A stack: the servers and services of one home folder."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.backend import Backend, Endpoints, Progress, ProviderError, choose, reopen, silent
from infra.closed_home import Outside
from infra.home import Home
from infra.process import Recorded, StartError, spawn, tail, uninterrupted
from infra.supervisor import STOP_BOUND_SECONDS, Service, dump

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ("kafka", "postgres", "redis", "registry")
SUPERVISOR = "supervisor"
HUNG_SECONDS = 10.0
HUNG_BOUND_SECONDS = 5.0


class Stack:
    """Starts, inspects and stops the servers and services of one home folder."""

    def __init__(
        self, home: Path | str | None = None, provider: str = "auto", registry: bool = True
    ) -> None:
        self.home = Home(home)
        self._provider = provider
        self._registry = registry

    def start_servers(self, progress: Progress = silent) -> Endpoints:
        """Starts the servers that do not run yet, and resumes frozen processes.

        Raises ProviderError, StartError, or what `Home.locked` raises.
        """
        with self.home.locked():
            for name in self.resume():
                progress(name, "was frozen: resumed", False)
            backend = self._backend()
            # Written first, so that `down` knows the provider if this call is interrupted.
            before = self.home.read("state").get("provider")
            self._note(provider=backend.name)
            try:
                endpoints = backend.start(progress)
            except (ProviderError, StartError):
                self._note(provider=before)  # so that another provider can be tried
                raise
            self._note(endpoints=asdict(endpoints))
        return endpoints

    def start_services(self, services: Sequence[Service], env: Mapping[str, str]) -> None:
        """Stops the services that run, then starts a supervisor, which starts these services."""
        with self.home.locked():
            self._stop_services()
            self._supervise(services, env, running={})

    def complete_services(self, services: Sequence[Service], env: Mapping[str, str]) -> None:
        """Starts the services that do not run; restarts all if addresses or services changed.

        A running supervisor starts them by itself; if none runs, a new one adopts the services that
        run.
        """
        with self.home.locked():
            state = self.home.read("state")
            names = [service.name for service in services]
            addresses = state.get("endpoints")
            if names != state.get("services", names) or addresses != state.get("told", addresses):
                self.start_services(services, env)
            elif not self._supervised:
                running = self.home.read("services").get("services", {})
                self._supervise(services, env, running)

    def _supervise(
        self, services: Sequence[Service], env: Mapping[str, str], running: Mapping[str, Any]
    ) -> None:
        described = [
            Service(**{**asdict(service), "env": {**_import_path(), **env, **service.env}})
            for service in services
        ]
        argv = [sys.executable, "-m", "infra.supervisor", str(self.home.path / "services.json")]
        with uninterrupted():
            supervisor = spawn(
                argv,
                self.home.log("supervisor"),
                stdin=dump(described, running),
                env={**os.environ, **_import_path()},
            )
            self._note(
                services=[service.name for service in services],
                supervisor={"pid": supervisor.pid, "started": supervisor.started},
                told=self.home.read("state").get("endpoints"),
            )

    def resume(self) -> list[str]:
        """Resumes all frozen processes of the stack; returns their names."""
        state = self.home.read("state")
        entries = {
            **state.get("servers", {}),
            SUPERVISOR: state.get("supervisor"),
            **self.home.read("services").get("services", {}),
        }
        recorded = {name: Recorded.of(entry) for name, entry in entries.items()}
        return [
            name
            for name, process in recorded.items()
            if process and process.resume(family=name != SUPERVISOR)  # services are in the list
        ]

    def restart_hung(self, progress: Progress = silent) -> list[str]:
        """Stops services that do not answer `/livez` within ten seconds; returns their names.

        The supervisor restarts them. A service that refuses connections may be starting, so it is
        left alone.
        """
        hung = []
        for name, entry in self.home.read("services").get("services", {}).items():
            recorded = Recorded.of(entry)
            if recorded is not None and recorded.alive and _hung(entry):
                progress(name, "does not answer: restarted", False)
                recorded.stop(bound_seconds=HUNG_BOUND_SECONDS)
                hung.append(name)
        return hung

    def alive(self) -> set[str]:
        """The names of the servers and services that run now, also frozen ones.

        With Docker it contains all servers of a started stack, without a check.
        """
        state = self.home.read("state")
        entries = {
            **state.get("servers", {}),
            **self.home.read("services").get("services", {}),
        }
        recorded = {name: Recorded.of(entry) for name, entry in entries.items()}
        names = {name for name, process in recorded.items() if process and process.alive}
        if state.get("provider") == "docker" and state.get("endpoints"):
            names |= set(SERVERS)  # containers have no recorded pids
        return names

    def stop_new(self, before: Collection[str]) -> None:
        """Stops what was started since `alive` returned `before`, after an interrupted start.

        It stops services only if none of them ran before.
        """
        with self.home.locked():
            if not before:
                self.stop()
                return
            if not set(self.home.read("state").get("services", ())) & set(before):
                self._stop_services()
            started = {name for name in self.alive() if name in SERVERS} - set(before)
            if started:
                self._backend().stop(started)

    def wait_ready(self, seconds: float = 60.0, progress: Progress = silent) -> None:
        """Waits until every service runs and, if it has an address, answers 200 on `/readyz`.

        Raises StartError after `seconds`, or when the supervisor does not run.
        """
        deadline = time.monotonic() + seconds
        waiting = list(self.home.read("state").get("services", ()))
        while waiting:
            entries = self.home.read("services").get("services", {})
            for name in tuple(waiting):
                if name in entries and entries[name]["pid"] and _ready(entries[name]):
                    progress(name, "ready", True)
                    waiting.remove(name)
            if waiting and (time.monotonic() > deadline or not self._supervised):
                raise StartError(self._not_ready(waiting))
            time.sleep(0.05)

    @property
    def _supervised(self) -> bool:
        supervisor = Recorded.of(self.home.read("state").get("supervisor"))
        return supervisor is not None and supervisor.alive

    def status(self) -> dict[str, Any]:
        """The object that `hitotsu status --json` prints."""
        state = self.home.read("state")
        services = self.home.read("services").get("services", {})
        return {
            "provider": state.get("provider"),
            "home": str(self.home.path),
            "servers": self._backend().servers() if state.get("provider") else {},
            "services": {name: _public(entry) for name, entry in services.items()},
            "tokens": self.home.read("tokens"),
        }

    def endpoints(self) -> Endpoints:
        """The servers' addresses of the last start; ProviderError if there was none."""
        known = self.home.read("state").get("endpoints")
        if not known:
            raise ProviderError(f"no stack in {self.home.path}: start one with `hitotsu up`")
        return Endpoints(**known)

    def stop(self, *, purge: bool = False) -> None:
        """Stops the services, then the servers. `purge` also removes data, keys and logs."""
        if not self.home.path.exists():
            return
        with self.home.locked():
            self.resume()  # a frozen process handles no signal
            self._stop_services()
            if self.home.read("state").get("provider"):
                backend = self._backend()
                backend.stop()
                if purge:
                    backend.purge()
            self.home.forget("state")
            self.home.forget("services")
            if purge:
                Outside(self.home).remove()
                self.home.purge()

    def restart_server(self, name: str) -> None:
        """Stops and starts one server; its address stays."""
        with self.home.locked():
            self._backend().restart(name)

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Sends a signal to one server or service; returns its pid.

        Raises ProviderError if the name is unknown or the process does not run.
        """
        servers = self.home.read("state").get("servers", {})
        services = self.home.read("services").get("services", {})
        entry = servers.get(name) or services.get(name)
        if entry is None:
            known = ", ".join((*servers, *services)) or "nothing"
            raise ProviderError(f"unknown process {name!r}; known: {known}")
        recorded = Recorded.of(entry)
        if recorded is None or not recorded.send(number):
            raise ProviderError(f"{name} does not run")
        if number == signal.SIGKILL:
            recorded.wait(5.0)
        return recorded.pid

    def _backend(self) -> Backend:
        """The backend that the home was started with; for a new home, a chosen one.

        Raises ProviderError if another provider was requested, or as `choose`.
        """
        state = self.home.read("state")
        started_with = state.get("provider")
        if started_with and self._provider not in ("auto", started_with):
            raise ProviderError(
                f"{self.home.path} runs with provider {started_with}: `hitotsu down` first"
            )
        registry = self._registry or "registry" in state.get("servers", {})
        if started_with:
            return reopen(started_with, self.home, registry=registry)
        return choose(self._provider, self.home, registry=registry)

    def _note(self, **changes: Any) -> None:
        state = self.home.read("state")
        state.update(changes)
        self.home.write("state", state)

    def _stop_services(self) -> None:
        supervisor = Recorded.of(self.home.read("state").get("supervisor"))
        entries = self.home.read("services").get("services", {})
        if supervisor is not None:
            supervisor.stop(bound_seconds=(STOP_BOUND_SECONDS + 1.0) * (len(entries) + 1))
        # If the supervisor was killed, its services still run.
        for entry in reversed(self.home.read("services").get("services", {}).values()):
            left = Recorded.of(entry)
            if left is not None:
                left.stop(bound_seconds=STOP_BOUND_SECONDS)
        self.home.forget("services")

    def _not_ready(self, names: Sequence[str]) -> str:
        logs = [self.home.log(name) for name in (*names, "supervisor")]
        return "\n".join(
            [f"not ready: {', '.join(names)}", *(f"{log} says:\n{tail(log)}" for log in logs)]
        )


def _public(entry: Mapping[str, Any]) -> dict[str, Any]:
    recorded = Recorded.of(entry)
    alive = recorded is not None and recorded.alive
    return {
        "url": entry["url"],
        "pid": entry["pid"] if alive else None,
        "state": recorded.state if recorded is not None else "stopped",
        "log": entry["log"],
        "metrics": entry["metrics"],
        "restarts": entry["restarts"],
        "exit": entry["exit"],
    }


def _hung(entry: Mapping[str, Any]) -> bool:
    base = _address(entry)
    if not base:
        return False
    try:
        urllib.request.urlopen(f"{base}/livez", timeout=HUNG_SECONDS).close()
    except TimeoutError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, TimeoutError)
    except OSError:
        return False
    return False


def _address(entry: Mapping[str, Any]) -> str:
    return str(entry["url"] or (entry["metrics"] or "").removesuffix("/metrics"))


def _import_path() -> dict[str, str]:
    """A PYTHONPATH with the checkout, so that services can be started in any folder."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}


def _ready(entry: Mapping[str, Any]) -> bool:
    base = _address(entry)
    if not base:
        return True
    try:
        with urllib.request.urlopen(f"{base}/readyz", timeout=2) as answer:
            return int(answer.status) == 200
    except (OSError, urllib.error.URLError, ValueError):
        return False
