"""Compares two texts: equal, a typing error apart, similar, or different.

Jaro-Winkler similarity (Winkler 1990) and optimal string alignment, by rapidfuzz.
"""

from __future__ import annotations

from rapidfuzz.distance import OSA, JaroWinkler

EQUAL, NEAR, SIMILAR, DIFFERENT = range(4)

NEAR_FROM, SIMILAR_FROM = 0.92, 0.8
"""Jaro-Winkler similarities."""
_SLIP_FROM = 4
"""Minimum length for NEAR: shorter texts with one typing error are only SIMILAR (佐藤, 佐竹)."""


def alike(one: str, other: str) -> int:
    """EQUAL, NEAR, SIMILAR or DIFFERENT; symmetric."""
    if one == other:
        return EQUAL
    if one > other:  # Jaro's greedy pairing of letters may depend on who is first
        one, other = other, one
    similarity = JaroWinkler.similarity(one, other)
    if similarity >= NEAR_FROM:
        return NEAR
    length = min(len(one), len(other))
    if length > 1 and slip(one, other):
        return NEAR if length >= _SLIP_FROM else SIMILAR
    return SIMILAR if similarity >= SIMILAR_FROM else DIFFERENT


def slip(one: str, other: str) -> bool:
    """Whether the texts are equal or differ by one omitted, added, changed or transposed letter."""
    return bool(OSA.distance(one, other, score_cutoff=1) <= 1)
