"""Which topics exist, which events they carry, and by what they are keyed.

Standard library only: whoever creates topics imports this and nothing else of the contracts.
"""

from dataclasses import dataclass

DEAD_LETTERS = "commerce.dead-letters"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, kept for ever; the first field of `key` that is not null keys the record."""

    name: str
    events: tuple[str, ...]
    key: tuple[str, ...]
    partitions: int


_ALL = (
    Topic(
        "commerce.purchases",
        ("PurchaseCompleted", "PurchaseReturned", "PurchaseVoided", "PurchaseAttributed"),
        key=("profile_id", "transaction_id"),
        partitions=8,
    ),
    Topic(
        "commerce.points",
        (
            "PointsEarned",
            "PointsRedeemed",
            "PointsReversed",
            "PointsReinstated",
            "PointsAdjusted",
            "PointsExpired",
            "PointsTransferred",
        ),
        key=("profile_id",),
        partitions=8,
    ),
    Topic(
        "commerce.inventory",
        (
            "StockReceived",
            "StockAdjusted",
            "StockCounted",
            "StockStateChanged",
            "StockAllocated",
            "AllocationReleased",
            "StockShipped",
            "TransferShipped",
            "TransferReceived",
            "ReservationCommitted",
        ),
        key=("sku",),
        partitions=8,
    ),
    Topic(
        "commerce.inquiries",
        (
            "InquiryOpened",
            "InquiryMessageAdded",
            "InquiryClassified",
            "InquiryAnswered",
            "InquiryClosed",
        ),
        key=("profile_id", "inquiry_id"),
        partitions=4,
    ),
    Topic(
        "commerce.members",
        (
            "ProfileRegistered",
            "ProfileUpdated",
            "IdentifierObserved",
            "ProfilesLinked",
            "LinkDeclined",
            "ProfilesUnlinked",
            "ConsentGiven",
            "ConsentWithdrawn",
            "SubjectErased",
        ),
        key=("profile_id",),
        partitions=8,
    ),
    Topic(
        "commerce.catalog",
        (
            "ItemDescribed",
            "LocationDescribed",
            "StockPolicySet",
            "NeedPolicySet",
            "ProgramRulesSet",
            "MatchRulesActivated",
        ),
        key=("policy_id", "program_id", "rule_set", "sku", "location_id"),
        partitions=4,
    ),
    Topic(
        "commerce.contacts",
        ("ContactMade", "CouponIssued", "CouponUsed"),
        key=("profile_id",),
        partitions=4,
    ),
    Topic(DEAD_LETTERS, ("DeadLettered",), key=("source_topic", "source_partition"), partitions=1),
)

TOPICS: dict[str, Topic] = {topic.name: topic for topic in _ALL}
TOPIC_OF: dict[str, Topic] = {event: topic for topic in _ALL for event in topic.events}

# A correction takes the key of what it corrects: a guest's sale was keyed by its transaction, so
# the claim of it is too, though it names the profile that claims.
_OWN_KEYS = {"PurchaseAttributed": ("transaction_id",)}


def key_fields(event: str) -> tuple[str, ...]:
    """The fields to look at, in order, for the key of an event."""
    return _OWN_KEYS.get(event, TOPIC_OF[event].key)
