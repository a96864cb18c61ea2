"""Hooks of schemathesis: how often each operation answered with each status.

Written as JSON to the file `$FUZZ_ANSWERS` when the run ends: `{"GET /v1/stock": {"200": 7}}`.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import schemathesis

answers: dict[str, Counter[str]] = defaultdict(Counter)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    """Counts an answer. A method that the operation does not have is counted as such."""
    answers[f"{case.method} {case.operation.path}"][str(response.status_code)] += 1


@atexit.register
def write() -> None:
    if path := os.environ.get("FUZZ_ANSWERS"):
        Path(path).write_text(json.dumps(answers), "utf-8")
