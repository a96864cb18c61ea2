"""What does Redis hold of rows? In C, where it was built."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

Chunks = list[tuple[int, bytes]]

def viewer(
    types: Sequence[str], by: int, other: Callable[[str, Any], str], prefix: str, /
) -> Callable[[Iterable[tuple[Any, ...]]], tuple[Chunks, bytes]]:
    """A function from a ledger's rows to what Redis holds of them, and their keys as JSON."""

def told(prefix: str, rows: Iterable[tuple[str, str, int, str]], /) -> tuple[Chunks, Chunks]:
    """What Redis holds of rows that Postgres has told: the first of theirs, and newer ones."""
