"""What was bought is not recommended, whichever channel it was bought in."""

from __future__ import annotations

from projections.catalog import item, need_policy
from projections.core.memory import Memory
from projections.purchase_suppression.needs import Catalogue, suppressions, unreturned_lines
from projections.purchases import claim, sale
from projections.purchases.sale_state import settled
from schemas.generated.events import ItemDescribed, NeedPolicySet, PurchaseAttributed
from tests.projections.saying import MINUTE, T0, brought_back, meta, named, sold, tell

DAY = 24 * 60 * MINUTE
HANAKO = named("hanako")


def policy(kind: str, sku: str | None = None, days: int | None = None) -> NeedPolicySet:
    return NeedPolicySet(
        meta=meta(),
        policy_id=f"{kind} {sku}",
        kind=kind,
        valid_from=T0 - DAY,
        sku=sku,
        category=None,
        reach="SKU",
        interval_days=days,
    )


def dropped(memory: Memory, *candidates: str, at: int = T0 + DAY) -> set[str]:
    """What is not shown to the customer."""
    catalogue = Catalogue(memory.table(item).values(), memory.table(need_policy).values(), at)
    sales = [(key, settled(row["documents"])) for key, row in memory.table(sale).items()]
    lines = unreturned_lines(sales, at)
    return set(suppressions(candidates, lines, catalogue, at))


def test_what_was_bought_in_the_store_yesterday_is_not_shown_online_today(memory: Memory) -> None:
    tell(memory, [policy("ONE_OFF"), sold("kettle", channel="STORE")])
    assert dropped(memory, "kettle", "cup") == {"kettle"}


def test_a_return_lifts_it_though_it_came_first(memory: Memory) -> None:
    tell(memory, [policy("ONE_OFF"), brought_back("kettle", minute=5), sold("kettle")])
    assert dropped(memory, "kettle") == set()


def test_one_of_two_brought_back_lifts_nothing(memory: Memory) -> None:
    tell(memory, [policy("ONE_OFF"), sold("kettle", 2), brought_back("kettle", 1)])
    assert dropped(memory, "kettle") == {"kettle"}


def test_what_is_used_up_may_be_shown_again_after_four_fifths_of_the_usual_time(
    memory: Memory,
) -> None:
    tell(memory, [policy("REPLENISHABLE", "tea", days=10), sold("tea")])
    assert dropped(memory, "tea", at=T0 + 8 * DAY - 1) == {"tea"}
    assert dropped(memory, "tea", at=T0 + 8 * DAY) == set()


def test_a_guest_who_claims_a_receipt_later_owns_it(memory: Memory) -> None:
    claimed = PurchaseAttributed(meta=meta("EC"), transaction_id=named("r"), profile_id=HANAKO)
    tell(memory, [sold("kettle", who=None), claimed])
    assert {row["owner_id"] for row in memory.table(sale).values()} == {named("r")}
    assert memory.table(claim)[named("r"),]["profile_id"] == HANAKO


def test_an_item_is_what_its_newest_description_says(memory: Memory) -> None:
    for minute, name in ((5, "new"), (1, "old")):
        tell(
            memory,
            [
                ItemDescribed(
                    meta=meta(minute=minute), sku="tea", name=name, category="drinks", valid_from=T0
                )
            ],
        )
    assert memory.table(item)[("tea", T0)]["name"] == "new"
