"""Generates the demo's tables: TPC-DS, offline and deterministically, as one DuckDB file."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import duckdb

SCALES = (0.01, 1.0)  # TPC-DS rows grow with it; 0.1 is 360,000 sale lines


class DataUnavailable(Exception):
    """The tables cannot be generated; the text says why and what to do."""


def check_scale(scale: float) -> None:
    """Raises DataUnavailable unless the TPC-DS scale factor is from 0.01 to 1."""
    smallest, largest = SCALES
    if not smallest <= scale <= largest:
        raise DataUnavailable(f"scale: must be from {smallest} to {largest}, not {scale:g}")


def tpcds(scale: float, folder: Path) -> Path:
    """The path of the file with the generated tables; generates it if it does not exist."""
    check_scale(scale)
    path = folder / f"tpcds-{scale:g}.duckdb"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _generate(scale, path)
    return path


def _generate(scale: float, path: Path) -> None:
    # A killed run leaves a draft, never half a file under the final name.
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(draft), config=_OFFLINE) as connection:
            connection.execute(f"LOAD '{_extension()}'")
            connection.execute("CALL dsdgen(sf = $1)", [scale])
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
        draft.with_name(f"{draft.name}.wal").unlink(missing_ok=True)


_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def _extension() -> Path:
    spec = find_spec("duckdb_extension_tpcds")
    if spec is None or spec.origin is None:
        raise DataUnavailable(
            "duckdb-extension-tpcds is not installed: pip install 'hitotsu[demo]'"
        )
    wanted = f"v{duckdb.__version__}"
    found = sorted(Path(spec.origin).parent.rglob("tpcds.duckdb_extension"))
    for path in found:
        if wanted in path.parts:
            return path
    raise DataUnavailable(
        f"duckdb-extension-tpcds holds no extension for DuckDB {duckdb.__version__}: "
        "install the same version of both packages"
    )
