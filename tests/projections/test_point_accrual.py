"""What points are judged by is there however often, and in whatever order, it was told."""

from __future__ import annotations

from dataclasses import replace

from projections.core.memory import Memory
from projections.point_accrual import basis, claim, giving_back
from schemas.events import PurchaseAttributed, PurchaseVoided
from schemas.events.parts import Tender
from tests.projections.saying import brought_back, meta, named, sold, tell


def test_a_sale_is_kept_with_what_each_line_cost_and_what_points_paid(memory: Memory) -> None:
    sale = replace(sold("tea", 3), tenders=[Tender("POINTS", 50), Tender("CASH", 250)])
    tell(memory, [sale])
    (row,) = memory.table(basis).values()
    assert (row["skus"], row["quantities"], row["paid"]) == (["tea"], [3], [300])
    assert (row["points_paid"], row["channel"]) == (50, "STORE")


def test_a_void_is_a_return_of_every_line_and_a_claim_names_who(memory: Memory) -> None:
    sale = sold("tea", 3, who=None)
    void = PurchaseVoided(
        meta(), sale.transaction_id, "ginza", "JPY", sale.total, sale.lines, "wrong button"
    )
    tell(memory, [brought_back("tea", 1), void])
    assert [(row["void"], row["quantities"]) for row in memory.table(giving_back).values()] == [
        (False, [1]), (True, [3]),
    ]  # fmt: skip
    tell(memory, [PurchaseAttributed(meta(), sale.transaction_id, named("hanako"), "MOVE")])
    (row,) = memory.table(claim).values()
    assert row["treatment"] == "MOVE"
