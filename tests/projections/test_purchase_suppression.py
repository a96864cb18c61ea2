"""What was bought is not recommended, whichever channel it was bought in."""

from __future__ import annotations

from typing import Any

import pytest

from projections.catalog import item, need_policy
from projections.core.memory import Memory
from projections.purchase_suppression.needs import Catalogue, suppressions, unreturned_lines
from projections.purchases import claim, sale
from projections.purchases.sale_state import settled
from schemas.generated.events import ItemDescribed, NeedPolicySet, PurchaseAttributed
from tests.projections.saying import MINUTE, T0, brought_back, meta, named, sold, tell

DAY = 24 * 60 * MINUTE
HANAKO = named("hanako")


def policy(
    kind: str, sku: str | None = None, days: int | None = None, category: str | None = None,
    reach: str = "SKU",
) -> NeedPolicySet:  # fmt: skip
    return NeedPolicySet(
        meta=meta(),
        policy_id=f"{kind} {sku} {category}",
        kind=kind,
        valid_from=T0 - DAY,
        sku=sku,
        category=category,
        reach=reach,
        interval_days=days,
    )


def described(sku: str, category: str = "drinks", **more: Any) -> ItemDescribed:
    return ItemDescribed(
        meta=meta(), sku=sku, name=sku, category=category, valid_from=T0 - DAY, **more
    )


def held_back_until(memory: Memory, sku: str, since: int = 0) -> int:
    """The first whole day after T0, from day `since` on, on which the item is shown again."""
    days = range(since, 1_000)
    return next(day for day in days if not dropped(memory, sku, at=T0 + day * DAY))


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


@pytest.mark.parametrize(
    ("of_category", "days"),
    [
        (policy("REPLENISHABLE", category="drinks", days=50), 40),
        (policy("REPLENISHABLE", days=60), 48),  # what holds for every category
        (policy("REPLENISHABLE", category="drinks"), 23),
        (policy("DURABLE", category="drinks", days=365), 23),  # says how long it lasts
        (policy("REPLENISHABLE", category="soaps", days=50), 23),
    ],
)
def test_a_first_purchase_is_held_back_by_the_interval_of_its_category_else_of_28_days(
    memory: Memory, of_category: NeedPolicySet, days: int
) -> None:
    tell(memory, [policy("REPLENISHABLE", "tea"), of_category, described("tea"), sold("tea")])
    assert held_back_until(memory, "tea") == days


def test_a_purchase_holds_back_the_variants_of_its_product(memory: Memory) -> None:
    shirts = [
        described("m", "shirts", product_id="p", size="M"),
        described("l", "shirts", product_id="p", size="L"),
        described("q", "shirts", product_id="q"),
        described("plain", "shirts"),
    ]
    tell(memory, [policy("DURABLE", category="shirts", reach="PRODUCT"), *shirts, sold("m")])
    assert dropped(memory, "m", "l", "q", "plain") == {"m", "l"}
    tell(memory, [sold("plain", receipt="other")])  # of no product: the item itself
    assert dropped(memory, "m", "l", "q", "plain") == {"m", "l", "plain"}


def test_several_receipts_within_a_day_are_one_occasion(memory: Memory) -> None:
    bought = [sold("tea", minute=one, receipt=f"r{one}") for one in range(4)]
    tell(memory, [policy("REPLENISHABLE", "tea"), *bought])
    assert held_back_until(memory, "tea", since=1) == 23


def test_who_bought_three_times_has_an_interval_of_their_own(memory: Memory) -> None:
    minutes = [day * 24 * 60 + again for day in (0, 10, 20) for again in (0, 9)]
    bought = [sold("tea", minute=minute, receipt=f"r{minute}") for minute in minutes]
    tell(memory, [policy("REPLENISHABLE", "tea"), *bought])
    # a day later than 20 + 8, because it was bought again nine minutes later
    assert held_back_until(memory, "tea", since=21) == 20 + 8 + 1


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
