"""How do a batch's rows become bytes and texts, quickly? In C, where it was built."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

def copier(types: Sequence[str], /) -> Callable[[Iterable[tuple[Any, ...]]], bytes]:
    """A function from rows of these types to the whole body of a COPY ... (FORMAT BINARY)."""

def array(type: str, values: Iterable[Any], /) -> bytes:
    """One column's values as a binary array; nulls may be among them."""
