"""What is the ratio of two trees, and how well is it known? Logarithms of pairs, Student's t.

Each round measures both trees once, so a pair shares the machine's mood. Rounds take turns at who
is first (ABBA): what drifts steadily, and what being second costs, cancels over two rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Two-sided 95 % quantiles of Student's t for 1, 2, ... degrees of freedom.
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
NORMAL_95 = 1.960


@dataclass(frozen=True, slots=True)
class Estimate:
    """A ratio, and half of its 95 % interval; the half-width of a single pair is infinite."""

    ratio: float
    half_width: float
    rounds: int

    def __str__(self) -> str:
        known = f"± {self.half_width:.3f}" if math.isfinite(self.half_width) else "± ?"
        return f"{self.ratio:.3f} {known}"

    def reached(self, half_width: float) -> bool:
        """Whether it is known at least that well."""
        return self.half_width <= half_width


def estimate(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """The geometric mean of first / second; figures must be positive."""
    logarithms = [math.log(mine / theirs) for mine, theirs in pairs]
    mean = statistics.fmean(logarithms)
    if len(pairs) < 2:
        return Estimate(math.exp(mean), math.inf, len(pairs))
    error = statistics.stdev(logarithms) / math.sqrt(len(pairs))
    reach = _quantile(len(pairs) - 1) * error
    # the interval is symmetric in logarithms; half of its width as a ratio is what is asked for
    return Estimate(math.exp(mean), math.exp(mean) * math.sinh(reach), len(pairs))


def first_is_this(number: int) -> bool:
    """Whether this tree goes first in the round of that number, counted from 0: ABBA ABBA ..."""
    return number % 2 == 0


def _quantile(freedom: int) -> float:
    if freedom <= len(T_95):
        return T_95[freedom - 1]
    # between the last of the table and the normal distribution's, as 1 / degrees of freedom goes
    return NORMAL_95 + (T_95[-1] - NORMAL_95) * len(T_95) / freedom
