"""Does the oracle say what the page about the demo's shop says?"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

from services.demo.check import oracle as oracle_module
from services.demo.check.oracle import Oracle

ROWS = (
    "members", "balances", "club", "stock", "stock_list", "suppression", "inquiries", "purchases",
    "receipts", "business_days", "discrepancies", "terminal_gaps", "totals",
)  # fmt: skip


def test_the_figures_that_were_published_come_out(oracle: Oracle) -> None:
    assert oracle.figures() == {
        "store_lines": 28_810,
        "web_lines": 7_212,
        "tickets": 2_400,
        "orders": 600,
        "in_both_channels": 425,
        "earned": 622_134,
        "redeemed": 210_754,
        "redeeming": 2_050,
        "redeeming_across": 661,
        "taken_back": 26_572,
        "returns": 3_207,
        "buyers": 950,
        "lowest_balance": 33,
    }


def test_every_row_of_the_report_has_an_expectation(oracle: Oracle) -> None:
    assert all(list(oracle.expected(row)) for row in ROWS)


def test_every_customer_is_one_member_and_has_one_balance(oracle: Oracle) -> None:
    customers = oracle.customers()
    assert len(customers) == 1_000
    assert [customer for customer, _ in oracle.expected("balances")] == customers
    assert {customer for customer, _ in oracle.expected("members")} == set(customers)


def test_every_cell_and_every_item_in_total_has_a_stock(oracle: Oracle) -> None:
    stock = {
        (cell["location"], cell["item"]): cell["on_hand"]
        for cell in oracle.records("stock")
        if cell["at_time"] == "now"
    }
    assert len(stock) == (6 + 1) * len(oracle.items())
    assert any(units < 0 for units in stock.values()), "receiving gaps are wanted"


def test_orders_hold_units_until_they_leave(oracle: Oracle) -> None:
    cells = [cell for cell in oracle.records("stock") if cell["location"] != "total"]
    assert not any(cell["committed"] for cell in cells if cell["at_time"] == "now")
    before = [cell for cell in cells if cell["at_time"] != "now"]
    assert all(cell["committed"] >= 0 for cell in before)
    held = {cell["location"].split()[0] for cell in before if cell["committed"]}
    assert held == {"warehouse", "store"}, "at stores for who picks up an order"


def test_what_does_not_fit_is_of_four_kinds(oracle: Oracle) -> None:
    kinds = Counter(entry["kind"] for entry in oracle.records("discrepancies"))
    assert kinds == {"over_return": 11, "negative_stock": 19, "sums": 3_000 // 301, "clock": 1}


def test_sales_have_cancels_refunds_without_goods_and_copies(oracle: Oracle) -> None:
    lines = list(oracle.records("purchases"))
    assert sum(line["cancelled"] > 0 for line in lines) == 7_212 // 97
    assert sum(line["refunded"] > 0 for line in lines) == 12
    assert len({line["number"] for line in lines if line["copied"]}) == 26
    assert {line["fulfilment"] for line in lines} == {"IMMEDIATE", "SHIP", "PICKUP"}
    assert not any(line["returned"] and line["cancelled"] for line in lines)


def test_balances_add_up_to_what_was_earned_redeemed_and_taken_back(oracle: Oracle) -> None:
    totals: dict[str, int] = dict(oracle.expected("totals"))
    left = totals["points earned"] - totals["points redeemed"] - totals["points taken back"]
    assert left == sum(balance for _, balance in oracle.expected("balances"))


def test_every_997th_receipt_is_missing(oracle: Oracle) -> None:
    # the other one is number 1 of a terminal whose numbers start anew each day
    assert list(oracle.expected("terminal_gaps")) == [(5, 2, 137)]
    totals: dict[str, int] = dict(oracle.expected("totals"))
    assert totals["purchases"] == 3_000 - 2


def test_days_lack_what_was_lost(oracle: Oracle) -> None:
    days = list(oracle.records("business_days"))
    lacks = Counter(lack for day in days for lack in day["lacks"])
    assert lacks["not_closed"] == 2_250 // 61
    assert lacks["numbers_missing"] == lacks["tenders_differ"] == lacks["taxes_differ"] == 2
    lost = [(day["location"], day["terminal"], day["missing"]) for day in days if day["missing"]]
    assert lost == [("store 5", 1, [1]), ("store 5", 2, [137])]
    assert {day["location"] for day in days} == {"warehouse", *(f"store {n}" for n in range(1, 6))}


def test_receipts_have_all_that_the_page_says_of_money(oracle: Oracle) -> None:
    receipts = list(oracle.records("receipts"))
    wrong = Counter(tuple(receipt["not_adding_up"]) for receipt in receipts)
    assert wrong[("lines", "tax")] == 5 and wrong[("tenders",)] == 4
    tenders = Counter(kind for receipt in receipts for kind, _ in receipt["tenders"])
    assert set(tenders) == {"POINTS", "CASH", "CARD", "E_MONEY", "CASH_ON_DELIVERY"}
    assert {rate for receipt in receipts for rate, *_ in receipt["taxes"]} == {800, 1000}
    for receipt in receipts:
        lines = sum(line[5] for line in receipt["lines"])
        taxed = sum(net + tax for _, net, tax in receipt["taxes"])
        assert lines == taxed == receipt["total"] - ("lines" in receipt["not_adding_up"])
    sales = {(line["channel"], line["number"]): line for line in oracle.records("purchases")}
    assert sum(sale["amendments"] for sale in sales.values()) == 600 // 41
    assert sum(sale["adjustments"] for sale in sales.values()) == 600 // 67


def test_an_item_is_dropped_for_one_reason_only(oracle: Oracle) -> None:
    pairs = [(customer, item) for customer, item, _ in oracle.expected("suppression")]
    assert len(pairs) == len(set(pairs))


def test_the_oracle_knows_nothing_of_the_product() -> None:
    folder = Path(oracle_module.__file__).parent
    for source in folder.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] not in {"services", "projections", "schemas", "infra"}
