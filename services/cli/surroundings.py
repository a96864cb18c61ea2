"""Which servers does a verb work on? The environment's, else those of the local stack."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from infra.backend import ProviderError
from infra.stack import Stack
from services.cli.local import environment
from services.runtime.config import Settings


def settings(home: Path | None = None) -> Settings:
    """Settings by `HITOTSU_*` where they are set, else of the stack in `home`."""
    try:
        if "HITOTSU_POSTGRES" in os.environ:
            return Settings()
        stack = Stack(home)
        env = environment(stack.home, stack.endpoints())
        return Settings.model_validate({name[len("HITOTSU_") :].lower(): env[name] for name in env})
    except ValidationError as error:
        fields = ", ".join(f"HITOTSU_{found['loc'][0]}".upper() for found in error.errors())
        raise ProviderError(f"missing or wrong in the environment: {fields}") from None
