"""The decider of claims: its route, and the projection on which it depends."""

from __future__ import annotations

from projections.purchases import projection as purchases
from services.deciding.catalogue import DeciderDeclaration
from services.deciding.endpoint import CommandRoute, Door
from services.http.operation import Operation, Reply
from services.purchases.answers import PROBLEMS, ClaimedPurchase
from services.purchases.decide import Claim, ClaimBody
from services.purchases.work import ClaimWork
from services.runtime.config import Settings
from services.runtime.db import Pool

CLAIMS = "/v1/purchases/{id}/claims"
ROUTE = CommandRoute("purchases:claim", "purchases")


def _operations(door: Door, _postgres: Pool, _settings: Settings) -> list[Operation]:
    return [
        ROUTE.at(
            door, CLAIMS, "claimPurchase", "Claim a guest's purchase for a profile", ClaimBody,
            lambda body, sent: Claim(sent.id, sent.made_id, body),
            Reply(ClaimedPurchase, "The profile gets the purchase."), *PROBLEMS, status=201,
        )
    ]  # fmt: skip


DECIDER = DeciderDeclaration(
    name="claims",
    needs=frozenset({purchases.name}),
    work=lambda settings: ClaimWork(settings.group),
    operations=_operations,
)
