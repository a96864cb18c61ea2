"""The demo's report: a table on the console, and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.demo.common.comparison import ReportRow
from services.demo.duplicate_pairs import LinkageResult

QUESTIONS = {
    "members": "一人のお客様は一人の会員か",
    "identity": "番号が違っても一人と分かるか",
    "balances": "店でもECでも一つの残高か",
    "stock": "店でもECでも一つの在庫か",
    "suppression": "買った物をまた薦めていないか",
    "inquiries": "誰が何を問い合わせたか",
    "purchases": "売上の一行一行は、その後も含めて正しいか",
    "receipts": "値引・送料・税率ごとの税・支払は一円まで合っているか",
    "business days": "どの店のどの端末も、一日の締めと合っているか",
    "discrepancies": "合わないものはすべて見つかるか",
    "terminal_gaps": "届いていないレシートはどれか",
    "totals": "合計は合っているか",
    "scene": "ECのポイントを店で使い、最後の一点はECへ。返品で元どおりか",
}


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The result of one run; `seconds`: from the first event sent until all are visible."""

    scale: float
    events: int
    seconds: float
    sales_lines: int
    checking_seconds: float
    rows: list[ReportRow]
    met: LinkageResult

    @property
    def differences(self) -> int:
        return sum(row.differences for row in self.rows)

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0

    def write(self, path: Path) -> None:
        """Writes the JSON file, atomically by rename."""
        content = {
            "rows": [
                {
                    "name": row.name,
                    "compared": row.compared,
                    "differences": row.differences,
                    "examples": [asdict(example) for example in row.examples],
                }
                for row in self.rows
            ],
            "events": self.events,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events_per_second, 1),
            "scale": self.scale,
            "sales_lines": self.sales_lines,
            "checking_seconds": round(self.checking_seconds, 3),
            "differences": self.differences,
            "identity": {
                "customers_without_a_common_identifier": self.met.wanted,
                "found": self.met.found,
                "wrong_pairs": self.met.wrong,
                "precision": round(self.met.precision, 4),
                "recall": round(self.met.recall, 4),
                "cases": self.met.cases,
                "cases_of_customers_not_found": self.met.waiting,
            },
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)


def show(report: DemoReport, console: Console) -> None:
    """Prints the table, then the first differences of every row."""
    table = Table(title="Hitotsu: 一つの答え", title_justify="left", header_style="bold")
    table.add_column("row")
    table.add_column("question")
    table.add_column("compared", justify="right")
    table.add_column("differences", justify="right")
    table.add_column("")
    for row in report.rows:
        good = not row.differences
        table.add_row(
            row.name,
            QUESTIONS.get(row.name, ""),
            f"{row.compared:,}",
            f"{row.differences:,}",
            "[green]✔[/]" if good else "[red]✘[/]",
        )
    console.print(table)
    for row in report.rows:
        for example in row.examples:
            console.print(
                f"  [red]{row.name}[/] {escape(str(example))}",
                soft_wrap=True,
            )
    met = report.met
    console.print(
        f"{met.wanted} customers whose two profiles share no identifier: {met.found} found "
        f"(precision {met.precision:.3f}, recall {met.recall:.3f}), {met.waiting} of the other "
        f"{met.wanted - met.found} among {met.cases} cases for staff"
    )
    if report.events:
        console.print(
            f"{report.sales_lines:,} sale lines · {report.events:,} events in "
            f"{report.seconds:.1f} s ([bold]{report.events_per_second:,.0f} events/s[/] "
            f"from the till to the answer) · checked in {report.checking_seconds:.1f} s"
        )


def show_where_to_look(places: Mapping[str, str], console: Console) -> None:
    """Prints the URLs of the running services."""
    grid = Table.grid(padding=(0, 2))
    for name, url in places.items():
        grid.add_row(f"  {name}", f"[cyan]{url}[/]")
    console.print("Where to look:")
    console.print(grid)
