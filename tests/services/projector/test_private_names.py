"""Are the private names of aiokafka and Faust that we use still there, and are all of them known?

A library may drop a private name in any release. So `pyproject.toml` bounds both, and a bound that
is raised too far fails here with what is missing and who needs it.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.producer.message_accumulator import MessageAccumulator, MessageBatch
from faust.serializers.codecs import Codec
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.worker import Worker

from infra.stack import ROOT

ROOMS = ("schemas", "projections", "services", "infra")
LIBRARIES = ("aiokafka", "faust", "mode")
PRODUCER = "services/runtime/producer.py"
TRANSPORT = "services/projector/transport.py"
PROJECTOR = "services/projector/__main__.py"
Used = tuple[type, str, str]
USED: tuple[Used, ...] = (
    (AIOKafkaProducer, "_message_accumulator", PRODUCER),
    (MessageAccumulator, "_batches", PRODUCER),
    (MessageAccumulator, "_pending_batches", PRODUCER),
    (MessageAccumulator, "fail_all", PRODUCER),
    (MessageBatch, "_drain_waiter", PRODUCER),
    (AIOKafkaClient, "_conns", PRODUCER),
    (AIOKafkaConsumer, "_fetch_min_bytes", TRANSPORT),
    (AIOKafkaConsumer, "_fetch_max_wait_ms", TRANSPORT),
    (PartitionRecords, "_records_iterator", TRANSPORT),
    (PartitionRecords, "_consumer_record", TRANSPORT),
    (Codec, "_loads", TRANSPORT),
    (Codec, "_dumps", TRANSPORT),
    (AIOKafkaConsumerThread, "_create_worker_consumer", TRANSPORT),
    (Consumer, "_new_consumer_thread", TRANSPORT),
    (Consumer, "_wait_next_records", TRANSPORT),
    (Consumer, "_buffered_partitions", TRANSPORT),
    (Consumer, "_get_active_partitions", TRANSPORT),
    (Consumer, "_acked", TRANSPORT),
    (Consumer, "_acked_index", TRANSPORT),
    (Consumer, "_add_gap", TRANSPORT),
    (Consumer, "_new_offset", TRANSPORT),
    (Consumer, "_thread", TRANSPORT),
    (Worker, "_flag_as_shutdown_by_signal", PROJECTOR),
)
BOUNDED = {"aiokafka": "aiokafka", "faust": "faust-streaming"}


def _missing(owner: type, name: str, user: str) -> str:
    """What is wrong, in a sentence; empty when the class has the name."""
    if _has(owner, name):
        return ""
    package = BOUNDED[owner.__module__.split(".")[0]]
    return (
        f"{package} {metadata.version(package)} has no {owner.__qualname__}.{name}, which {user} "
        f"uses: bound {package} in pyproject.toml below this release, or change {user}"
    )


def _has(owner: type, name: str) -> bool:
    return hasattr(owner, name) or any(_assigns(part, name) for part in owner.__mro__)


def _assigns(owner: type, name: str) -> bool:
    """Whether a method sets the attribute: `__init__` gives most of them to the object alone."""
    if owner.__module__.split(".")[0] not in LIBRARIES:
        return False
    return re.search(rf"\bself\.{name}\b\s*(:[^=\n]+)?=[^=]", inspect.getsource(owner)) is not None


@pytest.mark.parametrize(("owner", "name", "user"), USED)
def test_a_private_name_that_we_use_is_there(owner: type, name: str, user: str) -> None:
    assert _missing(owner, name, user) == ""


def test_a_name_that_is_gone_is_said_in_a_sentence() -> None:
    said = _missing(AIOKafkaConsumer, "_fetch_smallest", TRANSPORT)
    assert re.fullmatch(
        r"aiokafka [\d.]+ has no AIOKafkaConsumer\._fetch_smallest, which "
        r"services/projector/transport\.py uses: bound aiokafka in pyproject\.toml .*", said,
    )  # fmt: skip


@pytest.mark.parametrize("package", BOUNDED.values())
def test_a_library_whose_private_names_we_use_is_bounded(package: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (requirement,) = [
        text for text in declared["dependencies"] if re.match(rf"{package}\b(?!-)", text)
    ]
    assert re.search(r",<[\d.]+$", requirement), f"{requirement}: needs an upper bound"


def test_every_private_name_in_use_is_listed_above() -> None:
    listed = {(name, user) for _, name, user in USED}
    used = {
        (name, str(path.relative_to(ROOT)))
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for name in _private_names(path)
    }
    assert {pair for pair in used if pair not in listed} == set()
    assert {pair for pair in listed if pair not in used and pair[0].startswith("_")} == set()


def test_a_private_name_that_nobody_listed_is_seen(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        "from faust.worker import Worker\n"
        "class Own(Worker):\n"
        "    _mine = 1\n"
        "    def _setup_logging(self): self._made = client._coordinator; return self._mine\n",
        "utf-8",
    )
    assert set(_private_names(module)) == {"_setup_logging", "_coordinator"}


def _private_names(path: Path) -> Iterator[str]:
    """Private names in a module that imports one of the libraries, without the module's own."""
    text = path.read_text("utf-8")
    if not re.search(rf"^(from|import) ({'|'.join(LIBRARIES)})\b", text, re.M):
        return
    tree = ast.parse(text)
    own, overridden = set[str](), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            names = set(_defined(node))
            inherited = {name for base in _bases(node, tree) for name in names if _has(base, name)}
            overridden |= inherited
            own |= names - inherited
        elif isinstance(node, ast.Attribute) and _is_own_assignment(node):
            own.add(node.attr)
    read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    read = {name for name in read if re.match(r"_[a-z]", name)} - {"_exit"}  # os._exit
    yield from overridden | (read - own)


def _defined(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [node.name]
        elif isinstance(node, ast.AnnAssign):
            names = [node.target.id] if isinstance(node.target, ast.Name) else []
        else:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from (name for name in names if re.match(r"_[a-z]", name))


def _is_own_assignment(node: ast.Attribute) -> bool:
    of_self = isinstance(node.value, ast.Name) and node.value.id == "self"
    return of_self and isinstance(node.ctx, ast.Store)


def _bases(owner: ast.ClassDef, tree: ast.Module) -> Iterator[Any]:
    """The library's classes that a class is derived from."""
    imported: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            for alias in node.names:
                module = __import__(str(node.module), fromlist=[alias.name])
                imported[alias.asname or alias.name] = getattr(module, alias.name)
    for base in owner.bases:
        parts = ast.unparse(base).split(".")
        found = imported.get(parts[0])
        for part in parts[1:]:
            found = getattr(found, part, None)
        if isinstance(found, type):
            yield found
