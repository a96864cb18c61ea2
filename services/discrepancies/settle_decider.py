"""The decider of settlements: its route, and the projections on which it depends."""

from __future__ import annotations

from functools import partial

from projections import discover
from services.deciding.catalogue import DeciderDeclaration
from services.deciding.endpoint import CommandRoute, Door
from services.discrepancies.answers import PROBLEMS, SettledDiscrepancy
from services.discrepancies.decide import Settle, SettleBody
from services.discrepancies.work import SettleWork
from services.http.operation import Operation, Reply
from services.runtime.config import Settings
from services.runtime.db import Pool

SETTLEMENTS = "/v1/discrepancies/{id}/settlements"
ROUTE = CommandRoute("discrepancies:settle", "discrepancies")


def _operations(door: Door, _postgres: Pool, _settings: Settings) -> list[Operation]:
    return [
        ROUTE.at(
            door, SETTLEMENTS, "settleDiscrepancy", "Settle a discrepancy", SettleBody,
            lambda body, sent: Settle(
                sent.id, sent.made_id, body, partial(sent.token.within, "store")
            ),
            Reply(SettledDiscrepancy, "The other side moves."), *PROBLEMS, status=201,
        )
    ]  # fmt: skip


DECIDER = DeciderDeclaration(
    name="settlements",
    needs=frozenset(
        projection.name for projection in discover()
        if any(part.name == "discrepancies" for part in projection.listings)
    ) | {"discrepancies"},
    work=lambda settings: SettleWork(settings.group),
    operations=_operations,
)  # fmt: skip
