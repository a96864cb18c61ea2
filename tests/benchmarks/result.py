"""What is known of one entrant's run?"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """Events, the seconds they took, and what they cost."""

    entrant: str
    workload: str
    events: int
    seconds: float
    own_cpu: float
    postgres_cpu: float
    memory_mib: float
    more: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu(self) -> dict[str, float]:
        """CPU seconds for a million events."""
        million = 1e6 / self.events
        own, postgres = round(self.own_cpu * million, 1), round(self.postgres_cpu * million, 1)
        return {"own": own, "postgres": postgres, "sum": round(own + postgres, 1)}
