"""Who wrote a profile down, what do they ask for, and how do they type?"""

from __future__ import annotations

from typing import NamedTuple

KATAKANA, HIRAGANA, HALF_WIDTH = range(3)


class Style(NamedTuple):
    """Shares of profiles: which fields are filled, and how a reading is written."""

    system: str
    kana: float
    postcode: float
    address: float
    birth: float
    phone: float
    mail: float
    hiragana: float
    half_width: float


STYLES = (
    Style("pos", 0.75, 0.80, 0.78, 0.72, 0.93, 0.18, 0.03, 0.45),
    Style("ec", 0.88, 0.98, 0.97, 0.62, 0.97, 0.99, 0.12, 0.02),
    Style("app", 0.55, 0.70, 0.45, 0.82, 0.75, 0.97, 0.15, 0.01),
    Style("call", 0.90, 0.85, 0.85, 0.30, 0.99, 0.10, 0.05, 0.30),
)
"""The till's clerk, the web shop's form, the app's, and who takes orders by phone."""

SHARES = (0.44, 0.36, 0.13, 0.07)
"""Of all profiles, in the order of `STYLES`."""
