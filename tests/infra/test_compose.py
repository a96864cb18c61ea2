"""The compose file and the image's recipe, checked without an engine."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime.processes import processes

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
KEY = base64.b64encode(bytes(32)).decode()
FILLED_IN = {
    "POSTGRES_PASSWORD": "p",
    "REDIS_PASSWORD": "r",
    "GRAFANA_PASSWORD": "g",
    "HITOTSU_KEY_ENCRYPTION_KEY": KEY,
    "HITOTSU_BLIND_INDEX_KEY": KEY,
    "HITOTSU_GATEWAY_PRIVATE_KEY": KEY,
}
PROCESSES = (
    "prepare",
    *(name for process in processes() for name in process.instances(process.compose)),
)
SERVERS = ("kafka", "postgres", "redis", "registry", "prometheus", "grafana")
PROFILES = {"COMPOSE_PROFILES": "registry,metrics"}


def compose(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HITOTSU_")}
    return subprocess.run(
        [str(BIN / "docker-compose"), "--env-file", os.devnull, *arguments],
        cwd=ROOT,
        env={**clean, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    """The file as compose understands it, every profile on."""
    answer = compose("config", env={**FILLED_IN, **PROFILES})
    assert answer.stderr == ""  # the packaged compose leaves with 0 even when it refuses a file
    found: dict[str, Any] = yaml.safe_load(answer.stdout)
    return found


def test_compose_accepts_the_file_and_every_server_and_service_is_in_it(
    resolved: dict[str, Any],
) -> None:
    answer = compose("config", "-q", env=FILLED_IN)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert set(resolved["services"]) == {*SERVERS, *PROCESSES}


def test_the_modules_and_ports_of_processes_are_the_declared_ones(
    resolved: dict[str, Any],
) -> None:
    for process in processes():
        first, *others = process.instances(process.compose)
        told = [resolved["services"][name] for name in (first, *others)]
        assert all(each["command"] == ["python", "-m", process.module] for each in told)
        published = [[port["published"] for port in each.get("ports", ())] for each in told]
        assert published == [[str(process.port)] if process.port else [], *([] for _ in others)]


@pytest.mark.parametrize("variable", sorted(FILLED_IN))
def test_a_secret_that_is_not_filled_in_is_named(variable: str) -> None:
    answer = compose("config", "-q", env={**FILLED_IN, variable: ""})
    assert f"required variable {variable} is missing a value" in answer.stderr


def test_the_example_names_every_variable_that_must_be_filled_in() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    assert all(f"\n{variable}=\n" in example for variable in FILLED_IN)


def test_everything_is_checked_for_health_and_published_on_loopback_only(
    resolved: dict[str, Any],
) -> None:
    for name, service in resolved["services"].items():
        assert "healthcheck" in service, name
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name


def test_the_servers_keep_facts_for_ever_and_create_no_topics_by_themselves(
    resolved: dict[str, Any],
) -> None:
    kafka = resolved["services"]["kafka"]["environment"]
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert kafka["KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE"] == "LogAppendTime"
    assert kafka["KAFKA_LOG_RETENTION_MS"] == "-1"


def test_what_ends_starts_again_however_it_ended_and_after_a_restart_of_the_machine(
    resolved: dict[str, Any],
) -> None:
    """`on-failure` leaves down what ended with 0, and everything when the engine starts again."""
    policies = {name: service["restart"] for name, service in resolved["services"].items()}
    assert policies.pop("prepare") == "no"  # it does its work once
    assert set(policies.values()) == {"unless-stopped"}


def test_our_processes_have_no_rights_they_do_not_need(resolved: dict[str, Any]) -> None:
    for name in PROCESSES:
        service = resolved["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_files_that_are_mounted_are_in_the_repository(resolved: dict[str, Any]) -> None:
    for service in resolved["services"].values():
        for volume in service.get("volumes", ()):
            if volume["type"] == "bind":
                assert Path(volume["source"]).exists(), volume["source"]


def test_prometheus_scrapes_our_processes_where_compose_runs_them(resolved: dict[str, Any]) -> None:
    scraped = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text("utf-8"))
    targets = {
        target
        for job in scraped["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    }
    for name in PROCESSES[1:]:
        assert name in resolved["services"]
        assert f"{name}:8000" in targets


def test_the_image_recipe_passes_its_linter_and_does_not_run_as_root() -> None:
    recipe = ROOT / "infra" / "images" / "Dockerfile"
    linter = shutil.which("hadolint", path=str(BIN))
    assert linter is not None
    answer = subprocess.run(
        [linter, str(recipe)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stdout
    text = recipe.read_text("utf-8")
    assert "\nUSER 10001\n" in text
    assert "--require-hashes" in text


def test_every_module_that_the_image_recipe_runs_exists() -> None:
    text = (ROOT / "infra" / "images" / "Dockerfile").read_text("utf-8")
    modules = re.findall(r'-m"?,? "?((?:infra|services)[\w.]*)', text)
    assert {"infra", "services"} == {module.partition(".")[0] for module in modules}
    assert [module for module in modules if find_spec(module) is None] == []
