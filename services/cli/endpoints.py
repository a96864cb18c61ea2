"""The servers that a verb uses: those in the environment, else those of the local stack."""

from __future__ import annotations

from pathlib import Path

from infra.stack import Stack
from infra.variables import variable
from services.cli import local_services, prepare
from services.runtime.config import Settings


def settings(home: Path | None = None) -> Settings:
    """Settings from `HITOTSU_*` if HITOTSU_POSTGRES is set, else those of the stack in `home`."""
    if variable("HITOTSU_POSTGRES"):
        return prepare.settings()
    stack = Stack(home)
    return local_services.settings(local_services.environment(stack.home, stack.endpoints()))
