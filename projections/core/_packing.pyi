"""How do a batch's rows become bytes and texts, quickly? In C, where it was built."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

def copier(types: Sequence[str], /) -> Callable[[Iterable[tuple[Any, ...]]], bytes]:
    """A function from rows of these types to the whole body of a COPY ... (FORMAT BINARY)."""

def viewer(
    types: Sequence[str], by: int, other: Callable[[str, Any], str], /
) -> Callable[[Iterable[tuple[Any, ...]]], list[tuple[str, str, int, str]]]:
    """A function from a ledger's rows to those of its view; `other` says what it does not know."""

def array(type: str, values: Iterable[Any], /) -> bytes:
    """One column's values as a binary array; nulls may be among them."""
