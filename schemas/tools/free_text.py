"""Checks that text fields are sealed, because text that people type may contain a person's name.

Typed text is declared `"type": "bytes", "pii": "free_text"`, usually named `note`, beside a
`reason_code`. Unsealed text fields of earlier releases are listed here; the list may only shrink.
"""

from collections.abc import Iterator
from typing import Any

from schemas.declarations import NAMESPACE

# Unsealed text fields of released schemas, which cannot change: names, versions, actors, reasons.
OLD = frozenset(
    {
        "AllocationReleased.reason",
        "ConsentGiven.contact_channel",
        "ConsentGiven.purpose",
        "ConsentGiven.text_version",
        "ConsentWithdrawn.contact_channel",
        "ConsentWithdrawn.purpose",
        "ConsentWithdrawn.reason",
        "ContactMade.purpose",
        "CouponIssued.offer",
        "DeadLettered.error_class",
        "DeadLettered.reason",
        "DeadLettered.stage",
        "IdentifierObserved.context",
        "InquiryAnswered.answered_by",
        "InquiryClassified.classified_by",
        "InquiryClassified.topic",
        "InquiryClosed.resolution",
        "InquiryOpened.topic",
        "ItemDescribed.brand",
        "ItemDescribed.category",
        "ItemDescribed.name",
        "LinkDeclined.actor",
        "LinkDeclined.evidence",
        "LinkDeclined.rule_version",
        "LocationDescribed.name",
        "MatchRulesActivated.rules",
        "MatchRulesActivated.version",
        "NeedPolicySet.category",
        "PointsAdjusted.actor",
        "PointsAdjusted.reason",
        "PointsEarned.rule_version",
        "PointsReversed.policy",
        "PointsTransferred.reason",
        "ProfileUpdated.cleared",
        "ProfilesLinked.actor",
        "ProfilesLinked.evidence",
        "ProfilesLinked.rule_version",
        "ProfilesUnlinked.actor",
        "ProfilesUnlinked.reason",
        "ProfilesUnlinked.rule_version",
        "ProgramRulesSet.rules",
        "ProgramRulesSet.version",
        "PurchaseAttributed.proof",
        "PurchaseCompleted.receipt_number",
        "PurchaseReturned.reason",
        "PurchaseVoided.reason",
        "StockAdjusted.actor",
        "StockAdjusted.reason",
        "StockCounted.actor",
        "StockReceived.reference",
        "StockStateChanged.reason",
        "SubjectErased.actor",
        "SubjectErased.reason",
    }
)
# Those of them in which people type: the gateway moves their value to the sealed note.
TYPED = frozenset(
    {
        "AllocationReleased.reason",
        "ConsentWithdrawn.reason",
        "InquiryClosed.resolution",
        "PointsAdjusted.reason",
        "PointsTransferred.reason",
        "PurchaseReturned.reason",
        "PurchaseVoided.reason",
        "StockAdjusted.reason",
        "StockStateChanged.reason",
    }
)
_CLOSED = ("barcode", "code", "currency", "time_zone", "time_of_day")


def findings(schemas: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Errors: new string fields that are not sealed, listed fields that no schema has any more, and
    wrong `moved_to`.
    """
    there = set()
    for name, schema in schemas.items():
        for field in schema.get("fields", []):
            where = f"{name.removeprefix(NAMESPACE)}.{field['name']}"
            if where in TYPED or "moved_to" in field:
                yield from _moved(where, field, schema)
            if _has_text(field["type"]) and field.get("is") not in _CLOSED:
                there.add(where)
                if where not in OLD:
                    yield (
                        f"{where}: is a text that is not sealed; seal it (bytes with pii free_text)"
                        " or declare it as a code (is: code)"
                    )
    for where in sorted(OLD - there):
        yield f"{where}: is not an unsealed text any more; remove it from the list OLD"


def _moved(where: str, field: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """Errors of a field's `moved_to`, the sealed note to which typed text is moved."""
    if where not in TYPED:
        yield f"{where}: has moved_to, which only fields in the list TYPED may have"
        return
    beside = {other["name"]: other for other in schema["fields"]}
    if beside.get(field.get("moved_to", ""), {}).get("pii") != "free_text":
        yield f"{where}: people type in it; moved_to must name a sealed note (pii free_text)"
    if beside.get("reason_code", {}).get("is") != "code":
        yield f"{where}: people type in it; its event needs a field reason_code beside the note"


def _has_text(kind: Any) -> bool:
    if isinstance(kind, list):
        return any(_has_text(branch) for branch in kind)
    if isinstance(kind, dict):
        return _has_text(kind.get("items", kind.get("values", "")))
    return bool(kind == "string")
