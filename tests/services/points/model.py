"""Points that can say no, as plainly as can be: each point is a thing, all of it told anew."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Point:
    """One point of a lot: whose, from when until when, of which purchase; gone once decided."""

    whose: str
    lot: int
    born: int
    start: int
    end: int
    purchase: int
    gone: bool = False
    held_by: int = 0


@dataclass
class Model:
    """Points; what offline tills took or took back, in points; holds that stand; seconds."""

    points: list[Point] = field(default_factory=list)
    taken: list[list[int | str]] = field(default_factory=list)  # when, id, whose, many, why, sale
    backs: list[tuple[int, int, str, int, int]] = field(default_factory=list)
    """What sales gave back: when, id, whose, sale, how many."""
    ends: dict[int, int] = field(default_factory=dict)
    now: int = 0

    def told(self, whose: str) -> tuple[list[Point], int]:
        """A profile's points that are left, and how many it owes."""
        loose = [p for p in self.points if not p.gone and not self.stands(p.held_by)]
        left = [p for p in loose if p.whose == whose]
        left.sort(key=lambda p: (p.end, p.born, p.lot))
        mine = sorted(t for t in self.kept() if t[2] == whose)
        owed = 0
        for moment in range(self.now + 1):
            for point in [p for p in left if p.start == moment]:
                if owed:
                    left.remove(point)
                    owed -= 1
            for when, _, _, many, why, sale in mine:
                for _ in range(int(many) if when == moment else 0):
                    own = [p for p in left if why == "back" and p.purchase == sale]
                    fit = own or [p for p in left if p.start <= moment < p.end]
                    if fit:
                        left.remove(fit[0])
                    else:
                        owed += 1
        return left, owed

    def free(self, member: list[str]) -> tuple[list[Point], int]:
        """What may be promised, in the order in which it is spent, and how many of it."""
        told = [self.told(whose) for whose in member]
        active = [p for left, _ in told for p in left if p.start <= self.now < p.end]
        active.sort(key=lambda p: (p.end, p.born, p.lot))
        return active, max(0, len(active) - sum(owed for _, owed in told))

    def stands(self, hold: int) -> bool:
        return self.ends.get(hold, -1) > self.now

    def kept(self) -> list[list[int | str]]:
        """What was taken and not given back. A sale gives back what it took last, whenever that
        was and in whatever order both were told.
        """
        taken = [[*one] for one in self.taken]
        for _, _, whose, sale, many in sorted(self.backs):
            left = many
            for one in sorted((t for t in taken if t[2] == whose), reverse=True):
                if one[4] == "spent" and one[5] == sale:
                    undone = min(left, int(one[3]))
                    one[3], left = int(one[3]) - undone, left - undone
        return taken
