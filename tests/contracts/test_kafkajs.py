"""A second language reads our topics through the registry: kafkajs on Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.generated.records import TO_RECORD
from schemas.tools import golden_bytes
from schemas.wire.codec import key_of
from tests.contracts.conftest import Written

SOURCE = Path(__file__).parent / "javascript"
INSTALL = ("install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts")
pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (shutil.which("node") and shutil.which("npm")), reason="no node and npm on PATH"
    ),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "read_topic.js"):
        shutil.copy(SOURCE / name, folder)
    subprocess.run(["npm", *INSTALL], cwd=folder, check=True, capture_output=True, timeout=240)
    return folder / "read_topic.js"


def test_node_reads_every_event_of_a_topic(written: Written, program: Path) -> None:
    count = str(len(written.events))
    command = ["node", str(program), written.kafka, written.registry, written.topic, count]
    done = subprocess.run(
        command,
        cwd=program.parent,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "KAFKAJS_NO_PARTITIONER_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    rows = {row["type"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert len(rows) == len(written.events)
    for event in written.events:
        row = rows[f"hitotsu.{event.NAME}"]
        assert row["key"] == key_of(event).hex()
        assert _untagged(row["event"]) == _untagged(
            golden_bytes.plain(TO_RECORD[event.NAME](event))
        )


def _untagged(value: Any) -> Any:
    """Numbers as JavaScript has them: whole ones and others are one kind."""
    if isinstance(value, dict):
        return {key: _untagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_untagged(item) for item in value]
    return float(value) if isinstance(value, (int, float)) and value is not True else value
