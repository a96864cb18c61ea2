"""Is it counted right who found whom, and are the data what they are said to be?"""

from __future__ import annotations

import pytest

from tests.benchmarks.linkage import febrl, japanese, measuring
from tests.benchmarks.linkage.counting import closed, score
from tests.benchmarks.linkage.measuring import HEAD, entrant, row, table
from tests.benchmarks.linkage.records import DataSet, Linked, Pairs, Record
from tests.benchmarks.linkage.thresholds import above, best


def _pairs(*names: str) -> Pairs:
    """ab is the pair of a and b."""
    return {frozenset(name) for name in names}


def _tiny() -> DataSet:
    """a, b, c are one person and d her husband; e and f are another."""
    records = [Record(each, "pos", each, "", "", "", "", ()) for each in "abcdef"]
    person = dict(zip("abcdef", "111233", strict=True))
    household = dict(zip("abcdef", "AAAABB", strict=True))
    return DataSet("tiny", records, _pairs("ab", "ac", "bc", "ef"), [], (), person, household)


def test_a_known_answer_is_counted_by_hand() -> None:
    found = Linked(_pairs("ab", "ad", "bf"), _pairs("ab", "ef", "cd", "ce", "bc"), 1.5)
    figures = score(_tiny(), found)
    assert figures._asdict() == {
        "true": 4, "linked": 3, "right": 1,
        "precision": 1 / 3, "recall": 1 / 4, "f1": 2 / 7,
        "cases": 4, "case_precision": 2 / 4, "review": 2 / 4,
        "households_merged": 1, "seconds": 1.5,
    }  # fmt: skip


def test_nothing_linked_has_no_precision_and_no_recall() -> None:
    figures = score(_tiny(), Linked(set(), set(), 0.0))
    assert (figures.precision, figures.recall, figures.f1) == (0, 0, 0)


@pytest.mark.parametrize("wrong", ["a", "az", "abc"])
def test_an_answer_that_is_no_pair_of_the_records_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a pair of records of tiny"):
        score(_tiny(), Linked(set(), _pairs(wrong), 0.0))


def test_pairs_that_meet_are_one_person() -> None:
    assert closed(_pairs("ab", "bc", "de")) == _pairs("ab", "bc", "ac", "de")
    assert closed(_pairs("ab", "cd", "bd")) == _pairs("ab", "cd", "bd", "ac", "ad", "bc")


def test_the_best_threshold_is_found_with_its_pairs() -> None:
    scored = [
        (5.0, frozenset("ab")), (4.0, frozenset("bc")), (4.0, frozenset("ad")),
        (3.0, frozenset("ef")), (0.0, frozenset("df")),
    ]  # fmt: skip
    truth = _tiny().truth
    assert above(scored, 0.9) == _pairs("ab", "bc", "ad")
    at, pairs = best(scored, truth, is_closed=False)
    assert (at, pairs) == (1 / (1 + 2**-3), _pairs("ab", "bc", "ad", "ef"))
    # the clusters of the lower threshold would hold d with a, b and c
    at, pairs = best(scored, truth, is_closed=True)
    assert (at, pairs) == (1 / (1 + 2**-3), closed(_pairs("ab", "bc", "ad", "ef")))


def test_a_linker_sees_the_records_and_its_line_has_every_figure() -> None:
    seen: list[Record] = []

    def link(records: list[Record]) -> Linked:
        seen.extend(records)
        return Linked(_pairs("ab", "ac", "bc", "ef"), set(), 0.25)

    data = _tiny()
    [(label, linked)] = entrant("all of them", link)(data)
    assert seen == data.records
    line = row(data.name, label, score(data, linked)._asdict())
    assert line[:7] == ["tiny", "all of them", "4", "4", "1.0000", "1.0000", "1.0000"]
    assert len(line) == len(HEAD)
    first, second = table([list(HEAD), line]).splitlines()
    assert len(first) == len(second)


@pytest.mark.parametrize(
    ("name", "records", "true"),
    [
        ("febrl1", 1_000, 500),
        ("febrl2", 5_000, 1_934),
        ("febrl3", 5_000, 6_538),
        ("febrl4", 10_000, 5_000),
    ],
)
def test_febrl_is_as_large_as_published(name: str, records: int, true: int) -> None:
    data = febrl.load(name)
    assert (len(data.records), len(data.columns), len(data.truth)) == (records, records, true)


def test_a_febrl_record_holds_what_its_line_holds() -> None:
    found = {record.id: record for record in febrl.load("febrl3").records}
    assert found["rec-1496-org"] == Record(
        "rec-1496-org", "3", "mitchell green", "", "2119",
        "7 wallaby place, delmar, cleveland, sa", "19560409", (("soc_sec_id", "1804974"),),
    )  # fmt: skip
    assert found["rec-1716-dup-1"].name == "isabelle"


def test_the_japanese_set_has_its_truth_and_its_households() -> None:
    data = japanese.load(60, 120, seed=3)
    assert len(data.records) == 120
    by_truth = {
        frozenset((one.id, other.id))
        for one in data.records
        for other in data.records
        if one.id < other.id and data.person[one.id] == data.person[other.id]
    }
    assert data.truth == by_truth
    assert {kind for record in data.records for kind, _ in record.identifiers} == {"phone", "email"}


@pytest.mark.parametrize(
    ("typed", "date"),
    [
        ("S60.4.3", "1985-04-03"),
        ("昭和60年4月3日", "1985-04-03"),
        ("平成元年1月8日", "1989-01-08"),
        ("1985年4月3日", "1985-04-03"),
        ("19850403", "1985-04-03"),
        ("1985/4/3", "1985-04-03"),
        ("", None),
    ],
)
def test_a_batch_tool_is_given_dates_of_one_form(typed: str, date: str | None) -> None:
    assert japanese.iso(typed) == date


@pytest.mark.long
def test_splink_finds_what_its_authors_publish() -> None:
    """Febrl 1 by the settings of Febrl 3: next to all of it, and nothing that is wrong."""
    found = dict(measuring.splink(febrl.load("febrl1")))
    [published] = [label for label in found if "pairs ≥ 0.2" in label]
    figures = score(febrl.load("febrl1"), found[published])
    assert figures.precision >= 0.99
    assert figures.recall >= 0.98


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("佐藤　花子", ("佐藤", "花子")),
        ("佐藤花子", ("佐藤", "花子")),
        ("佐々木花", ("佐々木", "花")),
        ("渡辺花子", ("渡辺花子", None)),
        ("", (None, None)),
    ],
)
def test_a_batch_tool_is_given_names_apart(
    typed: str, parts: tuple[str | None, str | None]
) -> None:
    assert japanese.Parting(["佐 太郎", "佐藤 太郎", "佐々木 太郎"]).parts(typed) == parts
