"""Finds running services that have older code or other settings than `up` would start them with.

`up` does not restart running services; without a notice, a changed setting or newer code would seem
to be in effect.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from infra.process import Recorded
from infra.stack import ROOT, Stack
from services.runtime.config import Settings

RECORD = "settings"
PACKAGES = ("infra", "projections", "schemas", "services")
OF_ONE_PROCESS = ("port", "metrics_port", "instance")

Running = Mapping[str, Recorded]


def running(stack: Stack) -> Running:
    """The services that run now, by name."""
    entries = stack.home.read("services").get("services", {})
    recorded = {name: Recorded.of(entry) for name, entry in entries.items()}
    return {name: process for name, process in recorded.items() if process and process.alive}


def remember(stack: Stack, env: Mapping[str, str]) -> None:
    """Records a digest of the settings with which the services are started."""
    stack.home.write(RECORD, {"digest": digest(env)})


def notices(stack: Stack, env: Mapping[str, str], before: Running) -> list[str]:
    """Sentences about services with older code and with other settings; [] if there are none.

    `before`: the services that ran before this `up`. If all of them were restarted, it records the
    present settings.
    """
    left = {
        name: process for name, process in running(stack).items() if before.get(name) == process
    }
    if not left:
        remember(stack, env)
        return []
    newest = newest_source(ROOT)
    older = [name for name, process in left.items() if process.started < newest]
    told = stack.home.read(RECORD).get("digest")
    others = list(left) if told not in (None, digest(env)) else []
    said = ((older, "older code"), (others, "other settings"))
    return [
        f"still with {what} than now: {', '.join(names)}; `hitotsu down` first to change that"
        for names, what in said
        if names
    ]


def digest(env: Mapping[str, str]) -> str:
    """A hash of the settings, to be stored instead of them, since they contain keys."""
    shared = sorted(set(Settings.model_fields) - set(OF_ONE_PROCESS))
    variables = {**os.environ, **env}
    values = [variables.get(f"HITOTSU_{name.upper()}") for name in shared]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def newest_source(root: Path) -> float:
    """The latest modification time of the PACKAGES' Python files, in seconds since 1970."""
    files = (file for package in PACKAGES for file in (root / package).rglob("*.py"))
    return max((file.stat().st_mtime for file in files), default=0.0)
