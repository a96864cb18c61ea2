"""Does the report count what was compared and show what differs?"""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from services.demo.common.comparison import EXAMPLES, ReportRow
from services.demo.duplicate_pairs import LinkageResult
from services.demo.report import DemoReport, show


def report(*rows: ReportRow) -> DemoReport:
    met = LinkageResult(200, 190, 1, 14, 8, frozenset(range(10)))
    return DemoReport(0.01, 35_293, 20.0, 36_003, 3.0, list(rows), met)


def test_equal_values_are_compared_and_do_not_differ() -> None:
    row = ReportRow("balances")
    row.value("customer 1", 562, 562)
    row.mapping("customer 1 item ", {3: "durable"}, {3: "durable"}, of=180)
    assert (row.compared, row.differences) == (181, 0)


def test_one_wrong_unit_is_shown_with_its_key() -> None:
    row = ReportRow("stock")
    row.mapping("", {("store 1", 1): 6_590}, {("store 1", 1): 6_591})
    out = io.StringIO()
    show(report(row), Console(file=out, width=160))
    assert "expected 6590, answered 6591" in out.getvalue()
    assert "('store 1', 1)" in out.getvalue()


def test_who_was_found_without_an_identifier_is_printed_and_written(tmp_path: Path) -> None:
    out, path = io.StringIO(), tmp_path / "report.json"
    show(report(), Console(file=out, width=200))
    assert "190 found (precision 0.995, recall 0.950), 8 of the other 10" in out.getvalue()
    report().write(path)
    found = json.loads(path.read_text())["identity"]
    assert (found["found"], found["wrong_pairs"], found["cases"]) == (190, 1, 14)


def test_a_value_nobody_expected_and_one_nobody_answered_both_differ() -> None:
    row = ReportRow("terminal_gaps")
    row.mapping("", {(5, 1, 64): True}, {(5, 1, 65): True})
    assert (row.compared, row.differences) == (2, 2)


def test_examples_stay_few_however_much_differs() -> None:
    row = ReportRow("balances")
    for customer in range(1_000):
        row.value(f"customer {customer}", 1, 0)
    assert (row.differences, len(row.examples)) == (1_000, EXAMPLES)


def test_the_file_says_what_the_table_says(tmp_path: Path) -> None:
    row = ReportRow("balances")
    row.value("customer 1", 1, 0)
    path = tmp_path / "demo" / "report.json"
    report(row).write(path)
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["rows"] == [
        {
            "name": "balances",
            "compared": 1,
            "differences": 1,
            "examples": [{"key": "customer 1", "expected": 1, "answered": 0}],
        }
    ]
    assert (written["events"], written["seconds"], written["events_per_second"]) == (
        35_293,
        20.0,
        1_764.7,
    )
