"""Who may append which event, and which of its places must be the sender's own?

A token has one role. What the table does not give to a role is denied to it. The role
`operations` may append whatever any other role may, and all that is given to nobody else.
Standard library only.
"""

from dataclasses import dataclass
from typing import Literal

Role = Literal["till", "ec", "warehouse", "catalogue", "operations"]

OPERATIONS: Role = "operations"
ROLES: dict[Role, str] = {
    "till": "A till: what happens in its own store.",
    "ec": "A web shop: as a till for its own location, and orders, consents and coupons.",
    "warehouse": "A warehouse: receipts, shipments, transfers and counts.",
    "catalogue": "The item master: items, locations and policies.",
    "operations": "People who run it, imports and corrections: everything.",
}


@dataclass(frozen=True, slots=True)
class Right:
    """Who may append an event.

    `own`: dotted paths of the locations that must be among the token's stores. `by_producers`:
    denied while the program's own rules give points.
    """

    roles: tuple[Role, ...]
    own: tuple[str, ...] = ()
    by_producers: bool = False


_SHOPS: tuple[Role, ...] = ("till", "ec", "operations")
_EC: tuple[Role, ...] = ("ec", "operations")
_STOCK: tuple[Role, ...] = ("till", "ec", "warehouse", "operations")
_SHIPPING: tuple[Role, ...] = ("ec", "warehouse", "operations")
_WAREHOUSE: tuple[Role, ...] = ("warehouse", "operations")
_CATALOGUE: tuple[Role, ...] = ("catalogue", "operations")
_OPERATIONS: tuple[Role, ...] = ("operations",)
_HERE = ("location_id",)
_HERE_AND_LINES = ("location_id", "lines.location_id")

RIGHTS: dict[str, Right] = {
    "PurchaseCompleted": Right(_SHOPS, own=_HERE_AND_LINES),
    # of any store's sale: what comes back lands in the sender's own
    "PurchaseReturned": Right(_SHOPS, own=_HERE),
    "PurchaseVoided": Right(_SHOPS, own=_HERE_AND_LINES),
    "PurchaseAttributed": Right(_SHOPS),
    "PointsEarned": Right(_SHOPS, by_producers=True),
    "PointsRedeemed": Right(_SHOPS),
    "PointsReversed": Right(_SHOPS, by_producers=True),
    "PointsReinstated": Right(_OPERATIONS),
    "PointsAdjusted": Right(_OPERATIONS),
    "PointsExpired": Right(_OPERATIONS),
    "PointsTransferred": Right(_OPERATIONS),
    "StockReceived": Right(_STOCK, own=_HERE),
    "StockAdjusted": Right(_SHOPS, own=_HERE),
    "StockCounted": Right(_STOCK, own=_HERE),
    "StockStateChanged": Right(_OPERATIONS, own=_HERE),
    "StockAllocated": Right(_EC, own=_HERE),
    "AllocationReleased": Right(_EC, own=_HERE),
    "StockShipped": Right(_SHIPPING, own=_HERE),
    # the end at which the sender moves the units; the other end is somebody else's
    "TransferShipped": Right(_WAREHOUSE, own=("from_location_id",)),
    "TransferReceived": Right(_WAREHOUSE, own=("to_location_id",)),
    "ReservationCommitted": Right(_OPERATIONS, own=_HERE),
    "InquiryOpened": Right(_SHOPS),
    "InquiryMessageAdded": Right(_SHOPS),
    "InquiryClassified": Right(_SHOPS),
    "InquiryAnswered": Right(_SHOPS),
    "InquiryClosed": Right(_SHOPS),
    "ProfileRegistered": Right(_SHOPS),
    "ProfileUpdated": Right(_SHOPS),
    "IdentifierObserved": Right(_SHOPS),
    "ProfilesLinked": Right(_OPERATIONS),
    "LinkDeclined": Right(_OPERATIONS),
    "ProfilesUnlinked": Right(_OPERATIONS),
    "ConsentGiven": Right(_EC),
    "ConsentWithdrawn": Right(_EC),
    "SubjectErased": Right(()),
    "ItemDescribed": Right(_CATALOGUE),
    "LocationDescribed": Right(_CATALOGUE, own=_HERE),
    "StockPolicySet": Right(_CATALOGUE, own=_HERE),
    "NeedPolicySet": Right(_CATALOGUE),
    "ProgramRulesSet": Right(_OPERATIONS),
    "MatchRulesActivated": Right(_OPERATIONS),
    "ContactMade": Right(_SHOPS),
    "CouponIssued": Right(_EC),
    "CouponUsed": Right(_EC),
    "DeadLettered": Right(()),
}

# Appended by Hitotsu itself and by no token.
INTERNAL = frozenset(name for name, right in RIGHTS.items() if not right.roles)


def own_places(name: str, event: object) -> list[tuple[str, str]]:
    """The locations of an event that must be the sender's own, each with its dotted path."""
    found: list[tuple[str, str]] = []
    for path in RIGHTS[name].own:
        head, _, rest = path.partition(".")
        value = getattr(event, head)
        if not rest:
            found.append((path, value))
            continue
        parts = ((f"{head}.{i}.{rest}", getattr(part, rest)) for i, part in enumerate(value))
        found += [(where, place) for where, place in parts if place is not None]
    return found
