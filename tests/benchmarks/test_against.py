"""Is a ratio of two trees told rightly, and is nothing left behind by measuring it?"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from schemas.generated.events import PurchaseCompleted
from schemas.generated.events.parts import Meta, PurchaseLine
from schemas.history.releases import releases
from schemas.wire.codec import decode, schema_in
from tests.benchmarks.against import measuring
from tests.benchmarks.against.ratios import estimate, first_is_this
from tests.benchmarks.against.shared_schemas import codec_of
from tests.benchmarks.peers import reading as peer_reading
from tests.benchmarks.result import Result
from tests.benchmarks.trees import ROOT, THIS, NoTree, worktree
from tests.benchmarks.workload import SHOP

pytestmark = pytest.mark.one_python


def test_the_order_is_abba() -> None:
    order = "".join("AB" if first_is_this(number) else "BA" for number in range(4))
    assert order == "ABBAABBA"


def test_a_ratio_is_the_geometric_mean_of_its_pairs_with_students_interval() -> None:
    # logarithms 0.01, 0.03, 0.02: mean 0.02, standard deviation 0.01, t = 4.303 with 2 degrees
    found = estimate([(math.exp(x), 1.0) for x in (0.01, 0.03, 0.02)])
    assert found.ratio == pytest.approx(math.exp(0.02))
    reach = 4.303 * 0.01 / math.sqrt(3)
    assert found.half_width == pytest.approx(
        (math.exp(0.02 + reach) - math.exp(0.02 - reach)) / 2, rel=1e-6
    )
    assert found.rounds == 3
    assert not found.reached(0.01)
    assert found.reached(0.03)


def test_one_pair_says_nothing_about_how_well_a_ratio_is_known() -> None:
    assert estimate([(2.0, 1.0)]).half_width == math.inf
    assert "?" in str(estimate([(2.0, 1.0)]))


def test_a_steady_drift_and_the_cost_of_being_second_cancel() -> None:
    pairs, clock = [], 0
    for number in range(8):
        cost = {}
        for place, tree in enumerate("AB" if first_is_this(number) else "BA"):
            true = 1.02 if tree == "A" else 1.0
            cost[tree] = true * math.exp(0.01 * clock) * math.exp(0.03 * place)
            clock += 1
        pairs.append((cost["A"], cost["B"]))
    assert estimate(pairs).ratio == pytest.approx(1.02, abs=1e-9)


@pytest.mark.parametrize("rounds", [4, 8, 40])
def test_the_interval_holds_the_truth_nineteen_times_in_twenty(rounds: int) -> None:
    chance, held, tries = random.Random(rounds), 0, 2_000
    for _ in range(tries):
        pairs = [(1.03 * math.exp(chance.gauss(0, 0.02)), 1.0) for _ in range(rounds)]
        found = estimate(pairs)
        held += abs(found.ratio - 1.03) <= found.half_width
    assert 0.93 < held / tries < 0.97


class _Drawn(measuring.Comparison):
    """Rounds whose figures are drawn; the rest is the command's own."""

    def __init__(self, noise: float, ratio: float = 1.0) -> None:
        super().__init__(None, THIS, {})  # type: ignore[arg-type]  # nothing is run
        self._noise, self._ratio, self._chance = noise, ratio, random.Random(1)

    def warm_up(self) -> None:
        """Nothing is cold."""

    def round(self, name: str, with_peers: bool) -> None:
        mine = 10 * self._ratio * math.exp(self._chance.gauss(0, self._noise))
        one = Result("this tree", name, 1_000_000, 10, mine, 0, 0)
        self.pairs[name].append((one, Result("REV", name, 1_000_000, 10, 10, 0, 0)))
        if with_peers:
            for peer, seconds in (("loop", 17.0), ("bytewax", 21.0)):
                theirs = Result(peer, name, 1_000_000, seconds, 30, 0, 0)
                self.peers[peer].append((one, theirs))


def _options(*words: str) -> argparse.Namespace:
    return measuring._options(["--against", "REV", *words])


def test_rounds_are_added_until_the_ratio_is_known_well_enough() -> None:
    comparison = _Drawn(noise=0.02)
    options = _options("--workload", "w1")
    measuring._measure(comparison, options)
    rounds = len(comparison.pairs["w1"])
    assert options.rounds < rounds < options.most_rounds
    assert rounds % 2 == 0
    assert comparison.cpu("w1").reached(options.half_width)
    assert estimate(
        [(a.cpu["sum"], b.cpu["sum"]) for a, b in comparison.pairs["w1"][:-2]]
    ).half_width > options.half_width  # fmt: skip


def test_a_ratio_that_stays_unknown_is_said_to_be_and_its_estimate_counts() -> None:
    comparison = _Drawn(noise=0.5)
    options = _options("--workload", "w1", "--most-rounds", "10", "--allow", "9")
    measuring._measure(comparison, options)
    lines, held = measuring.verdict(comparison, options)
    assert len(comparison.pairs["w1"]) == 10
    assert any("not reached" in line for line in lines)
    assert held


@pytest.mark.parametrize(("ratio", "held"), [(1.02, True), (1.04, False)])
def test_what_is_allowed_decides(ratio: float, held: bool) -> None:
    comparison, options = _Drawn(0.001, ratio), _options("--allow", "1.03")
    measuring._measure(comparison, options)
    lines, found = measuring.verdict(comparison, options)
    assert found is held
    assert ("MISSED" in "".join(lines)) is not held


def test_the_floor_is_that_of_the_better_peer() -> None:
    comparison, options = _Drawn(0.001), _options("--floor")
    measuring._measure(comparison, options)
    lines, held = measuring.verdict(comparison, options)
    assert not held
    assert any("(loop): 1.700" in line and "MISSED" in line for line in lines)
    assert len(comparison.peers["loop"]) == options.rounds


@pytest.mark.parametrize(
    "words",
    [
        ["--rounds", "1"],
        ["--rounds", "9", "--most-rounds", "8"],
        ["--events", "10"],
        ["--workload", "w1", "--floor"],
    ],
)
def test_options_that_make_no_sense_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        _options(*words)
    assert refused.value.code == 2


def test_a_commit_that_is_none_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert measuring.main(["--against", "no-such-commit"]) == measuring.UNMEASURED
    assert "no-such-commit is not a commit" in capsys.readouterr().err


def _sale(**told: str) -> PurchaseCompleted:
    meta = Meta(event_id=bytes(16), occurred_at=1, producer=SHOP)
    line = PurchaseLine(line_no=1, sku="a", quantity=1, unit_price=1, net_paid=1)
    return PurchaseCompleted(
        meta=meta, transaction_id=bytes(16), profile_id=bytes(16), location_id="S1",
        currency="JPY", total=1, lines=[line], **told,
    )  # fmt: skip


def test_events_are_encoded_by_the_newest_schema_that_both_trees_know() -> None:
    versions = releases().of("PurchaseCompleted")
    newest = measuring._encoded(_sale(), codec_of({version.id for version in versions}), "this")
    for known, release in enumerate(versions, 1):
        codec = codec_of({version.id for version in versions[:known]})
        value = measuring._encoded(_sale(), codec, "old")
        assert (schema_in(value), decode(value)) == (release.id, _sale())
        # the peers of the floor read the same records
        assert peer_reading.decode(value) == peer_reading.decode(newest)


def test_an_event_that_an_older_schema_cannot_hold_is_not_measured() -> None:
    oldest = codec_of({releases().of("PurchaseCompleted")[0].id})
    with pytest.raises(NoTree, match="PurchaseCompleted in old has no field"):
        measuring._encoded(_sale(staff_code="7"), oldest, "old")
    with pytest.raises(NoTree, match="old has no schema of PurchaseCompleted"):
        measuring._encoded(_sale(), codec_of(set()), "old")


def test_a_worktree_goes_when_measuring_fails() -> None:
    with pytest.raises(NoTree, match="on purpose"), worktree("HEAD") as tree:
        assert (tree.folder / "services" / "projector" / "__main__.py").is_file()
        assert str(tree.folder) in _worktrees()
        raise NoTree("on purpose")
    assert str(tree.folder) not in _worktrees()
    assert not tree.folder.exists()


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.timeout(1_200)
def test_this_tree_beside_its_own_commit() -> None:
    done = subprocess.run(
        [*_command(), "--rounds", "2", "--most-rounds", "2", "--floor"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    for said in ("W1  CPU s a million, this to HEAD", "W2  events/s, this to HEAD", "floor 1.8"):
        assert said in done.stdout
    assert "hitotsu-against-" not in _worktrees()


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_run_is_broken_off(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        _command(), cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "does not count" in line:
            break
    time.sleep(3)  # somewhere in the middle of a run
    below = psutil.Process(process.pid).children(recursive=True)
    assert any("postgres" in one.name() for one in _of(tmp_path))
    process.send_signal(number)
    process.stdout.read()
    process.stdout.close()
    assert process.wait(60) != 0
    assert [one for one in [*below, *_of(tmp_path)] if one.is_running()] == []
    assert str(tmp_path) not in _worktrees()


def _command() -> list[str]:
    few = ["--against", "HEAD", "--events", "2000"]
    return [sys.executable, "-m", "tests.benchmarks", *few]


def _worktrees() -> str:
    return subprocess.run(
        ["git", "worktree", "list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def _of(folder: Path) -> list[psutil.Process]:
    """Processes that speak of a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found
