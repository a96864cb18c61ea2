"""Which linker finds whom, on which data?

python -m tests.benchmarks linkage                       all data sets, all linkers
python -m tests.benchmarks linkage --data febrl1 febrl3  only these
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

from tests.benchmarks import report, rounds
from tests.benchmarks.linkage import febrl, japanese
from tests.benchmarks.linkage.counting import score
from tests.benchmarks.linkage.records import DataSet, Link, Linked

Entrant = Callable[[DataSet], Iterable[tuple[str, Linked]]]
DATA: dict[str, Callable[[], DataSet]] = {
    **{name: (lambda name=name: febrl.load(name)) for name in febrl.SETS},
    "japanese": japanese.load,
}
HEAD = (
    "data", "linker", "true", "linked", "precision", "recall", "F1", "cases", "of them true",
    "recall in cases", "households merged", "seconds",
)  # fmt: skip


def entrant(name: str, link: Link) -> Entrant:
    """A linker that sees nothing but the records."""
    return lambda data: [(name, link(data.records))]


def splink(data: DataSet) -> Iterable[tuple[str, Linked]]:
    """Splink, imported only where it runs."""
    from tests.benchmarks.linkage import splinking

    return splinking.entrants(data)


def ours(data: DataSet) -> Iterable[tuple[str, Linked]]:
    """The product's matching."""
    from tests.benchmarks.linkage import ours as own

    return own.entrants(data)


ENTRANTS: dict[str, Entrant] = {"ours": ours, "splink": splink}


def main(arguments: list[str]) -> None:
    """Measures, prints, keeps."""
    options = _options(arguments)
    found: dict[str, Any] = {
        "cores": os.cpu_count(), "python": platform.python_version(),
        "splink": version("splink"), "duckdb": version("duckdb"), "data": {},
    }  # fmt: skip
    for name in options.data:
        data = DATA[name]()
        linkers: dict[str, Any] = {}
        found["data"][name] = {"records": len(data.records), "linkers": linkers}
        for asked in options.only:
            for label, linked in ENTRANTS[asked](data):
                linkers[label] = score(data, linked)._asdict()
                rounds.say(" · ".join(row(name, label, linkers[label])))
    rounds.say("\n" + table([list(HEAD), *rows(found)]))
    rounds.say(f"\nkept in {report.keep(found, 'linkage').relative_to(report.ROOT)}")


def rows(found: dict[str, Any]) -> list[list[str]]:
    """A linker a line, by data set."""
    return [
        row(name, label, figures)
        for name, data in found["data"].items()
        for label, figures in data["linkers"].items()
    ]


def row(data: str, label: str, figures: dict[str, Any]) -> list[str]:
    """A line of the table, from the figures of a `Score`."""
    return [
        data, label, f"{figures['true']:,}", f"{figures['linked']:,}",
        *(f"{figures[rate]:.4f}" for rate in ("precision", "recall", "f1")),
        f"{figures['cases']:,}", f"{figures['case_precision']:.2f}", f"{figures['review']:.4f}",
        f"{figures['households_merged']:,}", f"{figures['seconds']:.1f}",
    ]  # fmt: skip


def table(rows: list[list[str]]) -> str:
    """Columns as wide as what is in them."""
    widths = [max(len(each[column]) for each in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if nth < 2 else cell.rjust(width)
            for nth, (cell, width) in enumerate(zip(each, widths, strict=True))
        )
        for each in rows
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    asked = argparse.ArgumentParser(
        prog="python -m tests.benchmarks linkage", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    asked.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    asked.add_argument("--only", nargs="+", choices=ENTRANTS, default=list(ENTRANTS))
    return asked.parse_args(arguments)
