"""How fast is the road, beside what somebody would pick instead?

python -m tests.benchmarks                 W1 and W2, three rounds, ours and every peer
python -m tests.benchmarks --quick         the same in little, to see that it runs
python -m tests.benchmarks --against REV   this tree beside a commit (--help says more)
python -m tests.benchmarks freshness       how old is what is read, at a steady load
python -m tests.benchmarks rebuild         how fast projections are folded anew
python -m tests.benchmarks commands        how many commands are decided, beside the bare statement
python -m tests.benchmarks reads           what a read costs, beside a bare server with the JSON
python -m tests.benchmarks linkage         how well people are found, beside Splink
python -m tests.benchmarks matching        what an arriving profile costs, by how many are known
python -m tests.benchmarks matching-process   the process itself with a million known, killed
python -m tests.benchmarks report          what was measured, as Markdown
"""

from __future__ import annotations

import argparse
import signal
import sys

from tests.benchmarks import report, rounds
from tests.benchmarks.servers import Servers
from tests.benchmarks.workload import WORKLOADS, Shape

EVENTS, PREFIX = 300_000, 30_000
QUICK = 12_000


def main(arguments: list[str]) -> None:
    """One command a question; without one, the comparison."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped too
    if any(word.split("=")[0] == "--against" for word in arguments):
        from tests.benchmarks.against import measuring as against

        sys.exit(against.main(arguments))
    elif arguments[:1] == ["report"]:
        rounds.say(report.everything())
    elif arguments[:1] == ["freshness"]:
        from tests.benchmarks.freshness import measuring

        measuring.main(arguments[1:])
    elif arguments[:1] == ["rebuild"]:
        from tests.benchmarks import rebuilding

        rebuilding.main(arguments[1:])
    elif arguments[:1] == ["commands"]:
        from tests.benchmarks import commanding

        commanding.main(arguments[1:])
    elif arguments[:1] == ["reads"]:
        from tests.benchmarks import reading

        reading.main(arguments[1:])
    elif arguments[:1] == ["matching"]:
        from tests.benchmarks.linkage import arriving

        arriving.main(arguments[1:])
    elif arguments[:1] == ["matching-process"]:
        from tests.benchmarks.linkage import ready

        ready.main(arguments[1:])
    elif arguments[:1] == ["linkage"]:
        from tests.benchmarks.linkage import measuring as linking

        linking.main(arguments[1:])
    else:
        compare(_options(arguments))


def compare(options: argparse.Namespace) -> None:
    """Runs, prints, keeps."""
    events = QUICK if options.quick else options.events
    prefix = min(events // 10, PREFIX)
    shape = Shape(
        members=max(1_000, min(100_000, events // 3)), skewed=options.skew,
        skus=2_000 if options.quick else 20_000,
    )  # fmt: skip
    with Servers() as servers:
        results = rounds.measure(
            servers, dict.fromkeys(options.workload, events), prefix, shape,
            1 if options.quick else options.runs, options.only, options.filled,
        )  # fmt: skip
        found = {
            **rounds.summary(results),
            "machine": servers.machine(), "events": events,
            "rounds": 1 if options.quick else options.runs,
            "keys": "skewed" if options.skew else "uniform",
            "tables": "filled" if options.filled else "empty",
        }  # fmt: skip
    rounds.say("\n" + report.plain(found))
    rounds.say(f"\nkept in {report.keep(found, _name(options)).relative_to(report.ROOT)}")


def _options(arguments: list[str]) -> argparse.Namespace:
    asked = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    asked.add_argument("--runs", type=int, default=3, help="rounds; the median counts")
    asked.add_argument("--events", type=int, default=EVENTS, help="events of each workload")
    asked.add_argument("--quick", action="store_true", help="one small round")
    asked.add_argument("--skew", action="store_true", help="some members and items met often")
    asked.add_argument("--filled", action="store_true", help="tables with a year in them")
    asked.add_argument("--workload", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    asked.add_argument("--only", nargs="+", choices=rounds.ENTRANTS, default=rounds.ENTRANTS)
    return asked.parse_args(arguments)


def _name(options: argparse.Namespace) -> str:
    """Only the whole comparison, on uniform keys and empty tables, is `report`."""
    whole = tuple(options.only) == rounds.ENTRANTS and tuple(options.workload) == WORKLOADS
    marks = {
        "skew": options.skew, "filled": options.filled, "quick": options.quick,
        "part": not whole or options.events != EVENTS,
    }  # fmt: skip
    return "-".join(["report", *(mark for mark, is_so in marks.items() if is_so)])


if __name__ == "__main__":
    main(sys.argv[1:])
