"""Does the process of commands find every decider by its declaration?"""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path

import pytest

import services
from services.commands.app import create
from services.deciding.catalogue import deciders
from services.runtime.config import Settings

KEY = b64encode(bytes(range(32))).decode()
AWAY = {
    "key_encryption_key": KEY, "blind_index_key": KEY, "gateway_private_key": KEY,
    "kafka": "127.0.0.1:1", "postgres": "postgresql://127.0.0.1:1/none",
    "redis": "redis://127.0.0.1:1/0",
}  # fmt: skip
PLANTED = '''"""A decider of nothing, with one route."""

from typing import Any

from services.deciding.catalogue import DeciderDeclaration
from services.http.operation import Operation, Reply


class Nothing:
    async def see(self, connection: Any, commands: Any) -> Any: ...

    async def decide(self, connection: Any, seen: Any, commands: Any) -> Any:
        return []


def operations(door: Any, postgres: Any, group: str) -> list[Operation]:
    assert door.needs == {{"shared_stock"}}
    return [
        Operation(
            method="GET", path="/v1/planted", name="planted", summary="Planted", tag="stock",
            endpoint=door.take, replies={{200: Reply(None, "Nothing.")}},
        )
    ]


{name} = DeciderDeclaration(
    name="{decider}", needs=frozenset({{"shared_stock"}}), work=lambda settings: Nothing(),
    operations=operations,
)
'''


def _planted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "DECIDER", decider: str = "planted"
) -> None:
    package = folder / "planted_domain"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "planted_decider.py").write_text(PLANTED.format(name=name, decider=decider), "utf-8")
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(folder)])
    for module in ("planted_domain", "planted_domain.planted_decider"):
        monkeypatch.delitem(sys.modules, f"services.{module}", raising=False)


def test_all_deciders_are_declared() -> None:
    names = ["claims", "points", "returns", "settlements", "stock"]
    assert [decider.name for decider in deciders()] == names


def test_a_module_that_declares_a_decider_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _planted(tmp_path, monkeypatch)
    app = create(Settings.model_validate(AWAY))
    paths = {operation.path for operation in app.state.operations}
    assert {"/v1/planted", "/v1/points/holds", "/v1/stock/reservations"} <= paths


def test_a_name_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _planted(tmp_path, monkeypatch, decider="stock")
    with pytest.raises(TypeError, match="two deciders have the name stock"):
        deciders()


def test_a_module_that_declares_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _planted(tmp_path, monkeypatch, name="OTHER")
    with pytest.raises(TypeError, match=r"planted_domain\.planted_decider declares no DECIDER"):
        deciders()
