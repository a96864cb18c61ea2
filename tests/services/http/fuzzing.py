"""Runs schemathesis against one document, and says what it asked and what was answered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import httpx

from tests.services.rebuild.road import ROOT

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_schema_conformance", "response_headers_conformance",
)  # fmt: skip
# 503: without rules in force nobody can be compared; 504: what was waited for was not applied
CONFIG = """
base-url = "{url}"
hooks = "tests.services.http.fuzz_hooks"
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]
{more}
"""
# one array of all kinds of events has 20,000 combinations: minutes, so only where there is time
NO_COVERAGE_OF_EVENTS = """
[[operations]]
include-operation-id = "appendEvents"
phases.coverage.enabled = false
"""
Answers = dict[str, dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """A run that ended. `answers`: how often each operation answered with each status."""

    code: int
    output: str
    answers: Answers
    operations: tuple[str, ...]

    @property
    def asked(self) -> int:
        """Requests of documented operations; those with another method (405) do not count."""
        return sum(sum(self.answers.get(each, {}).values()) for each in self.operations)

    def never_well(self) -> set[str]:
        """Operations that never answered with 2xx or 3xx."""
        return {
            operation
            for operation in self.operations
            if not any(status < "4" for status in self.answers.get(operation, ()))
        }


@dataclass(frozen=True, kw_only=True)
class Fuzzing:
    """A run that goes on."""

    process: subprocess.Popen[bytes]
    home: Path
    operations: tuple[str, ...]

    def result(self) -> Fuzzed:
        """Waits for its end."""
        code = self.process.wait()
        answers = json.loads((self.home / "answers.json").read_text("utf-8"))
        output = (self.home / "output.txt").read_text("utf-8")
        return Fuzzed(code=code, output=output, answers=answers, operations=self.operations)


def begin(
    url: str, token: str, cases: int, home: Path, *, seed: int = 1, more: str = ""
) -> Fuzzing:
    """Starts so many cases, at least, against the document at `url`: well formed and not.

    The examples of the document, the limits of its schemas (coverage), random values (fuzzing) and
    its links (stateful) are tried. `more`: configuration.
    """
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    described = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path != "/openapi.json"  # read before, and left out by schemathesis
    }
    # what takes no input has one case: the others share the budget
    taking = [one for one in described.values() if one["parameters"] or "requestBody" in one]
    home.mkdir(parents=True, exist_ok=True)
    config = home / "schemathesis.toml"
    config.write_text(CONFIG.format(url=url, more=more), "utf-8")
    words = (
        "--config-file", str(config), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS),
        "--max-examples", str(ceil(cases / max(1, len(taking)))), "--seed", str(seed),
        "--mode", "all", "--workers", "1", "--no-color", "--continue-on-failure",
        "--generation-database", "none", "--suppress-health-check", "all",
    )  # fmt: skip
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FUZZ_ANSWERS": str(home / "answers.json"),
    }
    with open(home / "output.txt", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "schemathesis.cli", *words],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=home, env=environment,
        )  # fmt: skip
    return Fuzzing(process=process, home=home, operations=tuple(described))
