"""Hooks of schemathesis: fresh keys for commands, and how often which status was answered.

Written as JSON to the file `$FUZZ_ANSWERS` when the run ends: `{"GET /v1/stock": {"200": 7}}`.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis

KEY = "Idempotency-Key"
answers: dict[str, Counter[str]] = defaultdict(Counter)


commands = count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Three of four commands get a key of their own: generated ones are missing or used before."""
    if any(header.name == KEY for header in case.operation.headers) and next(commands) % 4:
        case.headers = {**(case.headers or {}), KEY: str(uuid4())}


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Counts an answer. A method that the operation does not have is counted as such."""
    answers[f"{case.method} {case.operation.path}"][str(response.status_code)] += 1


@atexit.register
def write() -> None:
    if path := os.environ.get("FUZZ_ANSWERS"):
        Path(path).write_text(json.dumps(answers), "utf-8")
