"""Does everything that speaks of processes follow from their declarations?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

import services
from infra.home import Home
from services.cli import deployment, local_services
from services.runtime.processes import Process, processes

ROOT = Path(__file__).resolve().parents[3]
NEW = '''"""Greets."""

from services.runtime.processes import Process

PROCESS = Process(name="{name}", module=__name__, does="Greets.", scaling="Any.", port={port})
'''


def _planted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "greeter", port: int = 8099
) -> None:
    """One more process beside ours."""
    package = folder / "planted_greeter"
    package.mkdir()
    (package / "__init__.py").write_text(NEW.format(name=name, port=port), "utf-8")
    (package / "__main__.py").write_text("", "utf-8")
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(folder)])
    monkeypatch.delitem(sys.modules, "services.planted_greeter", raising=False)


def _copy(folder: Path) -> Path:
    for path in deployment.files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    return folder


def test_the_repository_s_files_are_up_to_date() -> None:
    assert deployment.stale() == []


def test_a_package_that_declares_a_process_is_all_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = _copy(tmp_path / "copy")
    _planted(tmp_path, monkeypatch)
    assert deployment.write(copy) == list(deployment.files())
    assert deployment.stale(copy) == []
    compose, scraped, floors, alerts, dashboard = (
        (copy / path).read_text("utf-8") for path in deployment.files()
    )
    assert "[python, -m, services.planted_greeter]" in compose
    assert "127.0.0.1:8099:8000" in compose
    assert '- targets: ["greeter:8000"]' in scraped
    rooms = sorted(each.module.rpartition(".")[2] for each in processes() if each.port is not None)
    assert "planted_greeter" in rooms
    assert f'    "{" | ".join(rooms)}",' in floors
    names = "|".join(each.name for each in processes())
    assert alerts.count(f'job=~"{names}"') == 2
    assert dashboard.count(rf"job=~\"{names}\"") == 2
    started = {each.name: each for each in local_services.services(Home(tmp_path / "home").open())}
    greeter = started["greeter"]
    assert greeter.argv[1:] == ("-m", "services.planted_greeter")
    assert greeter.env["HITOTSU_PORT"] == str(greeter.url).rpartition(":")[2]


@pytest.mark.parametrize(("name", "port"), [("gateway", 8099), ("greeter", 8080)])
def test_two_processes_cannot_share_a_name_or_a_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, port: int
) -> None:
    _planted(tmp_path, monkeypatch, name, port)
    with pytest.raises(TypeError, match=f"{'name gateway' if port == 8099 else 'port 8080'}"):
        processes()


def test_a_file_without_a_place_for_processes_is_named(tmp_path: Path) -> None:
    copy = _copy(tmp_path)
    (copy / "docker-compose.yml").write_text("services: {}\n", "utf-8")
    with pytest.raises(ValueError, match=r"docker-compose\.yml has no place for processes"):
        deployment.stale(copy)


def test_instances_are_numbered_where_there_are_several() -> None:
    worker = Process(name="w", module="services.w", does="Works.", scaling="Any.")
    assert worker.instances(1) == ["w"]
    assert worker.instances(2) == ["w-1", "w-2"]
    assert worker.port_variables == ("HITOTSU_METRICS_PORT",)


def test_the_page_for_operators_leads_to_the_list_of_processes() -> None:
    beyond = (ROOT / "docs/howto/run-beyond-one-machine.md").read_text("utf-8")
    assert "(../reference/processes.md)" in beyond
