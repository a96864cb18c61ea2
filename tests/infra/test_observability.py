"""Alerts, their tests, their runbooks and the dashboard speak of metrics that exist."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from projections import discover
from projections.discrepancies.kinds import KINDS, KindName
from services.runtime import metrics

pytestmark = pytest.mark.one_python

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "infra" / "prometheus"
PROJECTOR = ROOT / "services" / "projector"
DASHBOARD = ROOT / "infra" / "grafana" / "dashboards" / "the-road.json"
# of Prometheus itself, and of its client library
NOT_OURS = {"up", "process_start_time_seconds"}
ONES_OWN = {"HEAP_BLOCKS"}  # asks a function of its own whenever it is scraped
_NAME = re.compile(r"\b(?:hitotsu_[a-z0-9_]+|up|process_start_time_seconds)\b(?=\s*[{\[)]|\s|$)")


def catalogue() -> set[str]:
    """Names as a scrape shows them: with _total, _bucket, _sum and _count."""
    ours = {id(found) for found in vars(metrics).values()}
    names: set[str] = set()
    for collector in list(REGISTRY._collector_to_names):
        if id(collector) in ours:
            names.update(REGISTRY._collector_to_names[collector])
    return {name for name in names if not name.endswith("_created")}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"] if "alert" in rule]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


def expressions() -> list[str]:
    of_panels = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + of_panels


def series_of_tests() -> list[str]:
    tests = [
        case
        for path in (PROMETHEUS / "tests").glob("*.yml")
        for case in yaml.safe_load(path.read_text("utf-8"))["tests"]
    ]
    return [series["series"] for case in tests for series in case["input_series"]]


def test_every_name_in_alerts_and_dashboard_is_in_the_catalogue() -> None:
    known = catalogue() | NOT_OURS
    for text in expressions() + series_of_tests():
        used = set(_NAME.findall(text))
        assert used, f"no metric in {text}"
        assert used <= known, f"{used - known} in {text}"


def test_every_metric_is_set_by_somebody() -> None:
    """One that nobody sets shows what it began with, for ever."""
    used: set[str] = set()
    for path in (ROOT / "services").rglob("*.py"):
        if path != Path(metrics.__file__):
            tree = ast.parse(path.read_text("utf-8"))
            used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
            used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    declared = {
        name for name, value in vars(metrics).items() if isinstance(value, MetricWrapperBase)
    }
    taken = {one.metric for projection in discover() for one in projection.measures}
    measured = {
        name for name in declared if vars(metrics)[name] in map(metrics.MEASURED.get, taken)
    }
    assert declared - used - measured == ONES_OWN


def test_a_measurement_that_was_not_made_is_not_a_number() -> None:
    """Of gauges without labels only those that count their own process's doings begin at 0."""
    code = """
import math
from prometheus_client import Gauge
from services.runtime import metrics
for name, gauge in sorted(vars(metrics).items()):
    if isinstance(gauge, Gauge) and not gauge._labelnames:
        if not math.isnan(gauge.collect()[0].samples[0].value):
            print(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["HEAP_BLOCKS", "IN_FLIGHT"]


def test_every_catalogued_metric_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in catalogue()}
    unseen = {name for name in families if name not in shown}
    assert unseen <= {
        "hitotsu_projector_next_offset",
        "hitotsu_redis_refills",
        "hitotsu_dead_letters_relayed",
    }


def test_every_label_in_an_expression_is_a_label_of_its_metric() -> None:
    labels = {
        name: set(found._labelnames)
        for found in vars(metrics).values()
        if hasattr(found, "_labelnames")
        for name in REGISTRY._collector_to_names[found]
    }
    for text in expressions():
        for name, selector in re.findall(r"(hitotsu_[a-z0-9_]+)\{([^}]*)\}", text):
            used = set(re.findall(r"(\w+)\s*[=!]", selector))
            assert used <= labels[name], f"{used - labels[name]} in {text}"
        grouped = {
            one.strip() for by in re.findall(r"by \(([^)]*)\)", text) for one in by.split(",")
        }
        known = {label for name in _NAME.findall(text) for label in labels.get(name, set())}
        assert grouped <= known | {"le", "instance", "job"}, f"{grouped - known} in {text}"


def test_every_alert_has_a_runbook_with_all_its_parts_and_a_unit_test() -> None:
    tested = "".join(path.read_text("utf-8") for path in (PROMETHEUS / "tests").glob("*.yml"))
    for rule in rules():
        name = rule["alert"]
        book = ROOT / "docs" / "runbooks" / f"{name}.md"
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        text = book.read_text("utf-8")
        for part in (
            "Meaning",
            "Impact",
            "How to look",
            "What to do",
            "How to see that it is over",
        ):
            assert f"## {part}\n" in text, f"{book.name} lacks {part!r}"
        assert set(re.findall(r"hitotsu_[a-z0-9_]+", text)) <= catalogue(), book.name
        assert f"alertname: {name}," in tested or f"alertname: {name}\n" in tested


def test_every_kind_of_discrepancy_has_a_threshold_and_its_family_an_alert() -> None:
    loaded = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))
    recorded = [
        rule for group in loaded["groups"] for rule in group["rules"]
        if rule.get("record") == "hitotsu:discrepancy_threshold"
    ]  # fmt: skip
    of_kinds = [rule["labels"]["kind"] for rule in recorded]
    listed = {
        label for projection in discover() for part in projection.listings
        if part.name == "discrepancies" for label in part.labels
    }  # fmt: skip
    # HitotsuWrongClocks counts the terminals of the last hour
    assert sorted([*of_kinds, "clock"]) == sorted(listed) == sorted(KINDS)
    assert sorted(get_args(KindName)) == sorted(KINDS)
    asked = {
        family
        for text in expressions()
        for family in re.findall(r'discrepancy_threshold\{family="(\w+)"\}', text)
    }
    assert asked == {rule["labels"]["family"] for rule in recorded}


def test_reasons_that_runbooks_name_are_those_that_a_projector_logs() -> None:
    """A reason is a text of the projector's own, or the name of an error and its text."""
    sources = "".join(path.read_text("utf-8") for path in PROJECTOR.glob("*.py"))
    text = (ROOT / "docs" / "runbooks" / "HitotsuRestarting.md").read_text("utf-8")
    (said,) = re.findall(r"`projector_exiting`.*?(?=\n- )", text.replace("\n  ", " "))[:1]
    reasons = set(re.findall(r"`([^`]+)`", said)) - {"projector_exiting", "reason"}
    assert len(reasons) >= 4
    for reason in reasons:
        begins = reason.removesuffix(": …")
        assert f"class {begins}(Exception)" in sources or re.search(f'f?"{begins}', sources), reason
    pages = {path.name: path.read_text("utf-8") for path in (ROOT / "docs/runbooks").glob("*.md")}
    assert [name for name, page in pages.items() if "`fenced`" in page] == []


def test_every_question_about_processes_is_about_all_of_them() -> None:
    """Alerts, panels and runbooks that name jobs name each job that is scraped."""
    loaded = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    scraped = {job["job_name"] for job in loaded["scrape_configs"]} - {"prometheus"}
    pages = [path.read_text("utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")]
    named = [
        set(jobs.split("|"))
        for text in [*expressions(), *pages]
        for jobs in re.findall(r'job=~"([^"]+)"', text)
    ]
    assert len(named) >= 5
    assert all(jobs == scraped for jobs in named), named
    answering = {
        service
        for text in expressions()
        for services in re.findall(r'hitotsu_http_\w+\{service=~?"([^"]+)"', text)
        for service in services.split("|")
    }
    assert answering == scraped - {"projector"}


def test_every_process_of_the_stack_is_scraped() -> None:
    loaded = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))
    targets = {
        target.rpartition(":")[0]
        for job in loaded["scrape_configs"]
        for config in job["static_configs"]
        for target in config["targets"]
    }
    assert {"gateway", "projector-1", "projector-2", "api"} <= targets


def test_panels_have_distinct_ids_and_do_not_overlap() -> None:
    found = panels()
    assert len({panel["id"] for panel in found}) == len(found)
    cells: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        mine = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
@pytest.mark.parametrize(
    "check",
    [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "tests/alerts_test.yml"],
        ["test", "rules", "tests/weeks_test.yml"],
    ],
)
def test_promtool_is_content(check: list[str]) -> None:
    done = subprocess.run(["promtool", *check], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
