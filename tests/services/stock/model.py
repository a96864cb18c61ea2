"""Stock that can say no, as plainly as can be: promises in a list, all of it counted anew."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Promise:
    """Units of one reservation at one location ("" is none yet)."""

    reservation: str
    sku: str
    location: str
    units: int
    until: int
    state: str = "open"


@dataclass
class Model:
    """On hand by item and location; what stores keep; promises; the clock in seconds."""

    on_hand: dict[tuple[str, str], int]
    share: int = 0
    threshold: int = 0
    now: int = 0
    promises: list[Promise] = field(default_factory=list)

    def free(self, sku: str, location: str) -> int:
        taken = [
            p.units
            for p in self.promises
            if (p.sku, p.location) == (sku, location) and self.counts(p)
        ]
        return self.on_hand.get((sku, location), 0) - sum(taken)

    def counts(self, promise: Promise) -> bool:
        return promise.state == "committed" or (
            promise.state == "open" and promise.until > self.now
        )

    def online(self, sku: str) -> int:
        places = [place for item, place in self.on_hand if item == sku]
        if not places:
            return 0
        left = sum(max(0, self.free(sku, place) - self.share) for place in places)
        return left - self.threshold + self.free(sku, "")  # nothing lies there: only promises count

    def backing(self, sku: str) -> int:
        """Units that may back an order without a location: what no store keeps for itself."""
        places = [place for item, place in self.on_hand if item == sku]
        return sum(max(0, self.free(sku, place) - self.share) for place in places)

    def whole(self, sku: str) -> int:
        """Units over all locations that nobody was promised there."""
        return sum(max(0, self.free(sku, place)) for item, place in self.on_hand if item == sku)

    def room(self, sku: str, location: str, channel: str) -> int:
        if channel == "STORE":
            return self.at_the_counter(sku, location)
        if location == "":
            return max(0, self.online(sku))
        if (sku, location) not in self.on_hand:
            return 0
        return max(0, min(self.free(sku, location) - self.share, self.online(sku)))

    def at_the_counter(self, sku: str, location: str) -> int:
        """What a store may promise, tried unit by unit: each leaves other promises their units."""
        if (sku, location) not in self.on_hand:
            return 0
        trial = Promise("trial", sku, location, 0, self.now + 1)
        self.promises.append(trial)
        fits = 0
        for trial.units in range(1, max(0, self.on_hand[sku, location]) + 1):
            if self.free(sku, location) < 0 or self.whole(sku) < -self.free(sku, ""):
                break
            fits = trial.units
        self.promises.remove(trial)
        return fits

    def placeable(self, sku: str, location: str) -> int:
        """Where an order without a location may go: online, or anywhere once it was undercut."""
        if (sku, location) not in self.on_hand:
            return 0
        undercut = -self.free(sku, "") > self.backing(sku)
        return max(0, self.free(sku, location) - (0 if undercut else self.share))

    def of(self, reservation: str) -> list[Promise]:
        return [p for p in self.promises if p.reservation == reservation]

    def standing(self, reservation: str) -> bool:
        promises = self.of(reservation)
        return bool(promises) and all(p.state == "open" and p.until > self.now for p in promises)
