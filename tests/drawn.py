"""How many examples does a property draw? All on the main Python, a quarter on the others.

The other Pythons run every test as well; what differs between versions shows with few examples.
"""

from __future__ import annotations

import os

FEWER_VARIABLE = "HITOTSU_FEWER_EXAMPLES"
PART = 4


def examples(number: int) -> int:
    """The number for `max_examples`; at least three, and a quarter where fewer are asked for."""
    return max(min(number, 3), number // PART) if os.environ.get(FEWER_VARIABLE) else number
