"""Which codes are one item, however and whenever barcodes are declared."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from projections.catalog import item_code
from projections.catalog.barcodes import item_of, items_of
from projections.core.memory import Memory
from projections.shared_stock.item_cells import merged, needs_counts
from schemas.barcodes import check_digit, same_number, spellings, wrong_with
from schemas.generated.events import ItemDescribed
from schemas.generated.inputs import Rejected, example, parse
from tests.projections.saying import T0, meta, tell

SHORT, LONG, CASE = "036000291452", "0036000291452", "00036000291452"
OTHER = "4006381333931"


def described(sku: str, *barcodes: str, valid_from: int = T0, minute: int = 0) -> ItemDescribed:
    return ItemDescribed(
        meta=meta(minute=minute), sku=sku, name=sku, category="soap", valid_from=valid_from,
        barcodes=[*barcodes],
    )  # fmt: skip


class Reading:
    """Reads rows of the catalogue from memory."""

    def __init__(self, memory: Memory) -> None:
        self.rows_of = list(memory.table(item_code).values())
        self.questions = 0

    async def rows(self, table: object, node: str | list[str] | set[str]) -> list[dict[str, Any]]:
        self.questions += 1
        asked = [node] if isinstance(node, str) else node
        return [row for row in self.rows_of if row["node"] in asked]


async def codes(memory: Memory, code: str, at: int = T0) -> set[str]:
    found = (await items_of(Reading(memory), {code}, at))[code]  # type: ignore[arg-type]
    assert found.codes[0] == found.sku
    return set(found.codes)


def test_a_barcode_ends_with_its_check_digit() -> None:
    for barcode in (SHORT, LONG, CASE, OTHER, "96385074", "2012345678903", "14006381333938"):
        assert wrong_with(barcode) is None, barcode
        assert check_digit(barcode[:-1]) == int(barcode[-1])
    assert wrong_with("036000291453") == "must end with its check digit, which is 2"
    for wrong in ("ABC", "12345", "", "０３６０００２９１４５２"):
        assert wrong_with(wrong) == "must be a GTIN of 8, 12, 13 or 14 digits"


def test_a_barcode_is_written_in_several_lengths() -> None:
    assert spellings(SHORT) == spellings(LONG) == spellings(CASE) == [SHORT, LONG, CASE]
    assert spellings(OTHER) == [OTHER, f"0{OTHER}"]
    assert spellings("96385074")[0] == "96385074"


def test_two_lengths_are_the_same_number() -> None:
    assert same_number(SHORT, CASE) and same_number("soap", "soap")
    for other in ("soap", "0036000291453", "00036000291452x", "1036000291452"):
        assert not same_number(SHORT, other)
    assert not same_number("0123", "123"), "neither is a barcode"


def test_a_wrong_barcode_is_refused_by_its_place() -> None:
    sent = example("ItemDescribed") | {"barcodes": [" ０３６０００２９１４５２", "036000291453"]}
    with pytest.raises(Rejected) as refused:
        parse(sent)
    assert (refused.value.field, "check digit" in refused.value.reason) == ("barcodes.1", True)
    made: Any = parse(sent | {"barcodes": sent["barcodes"][:1]})
    assert made.barcodes == [SHORT]


async def test_the_codes_of_an_item_are_its_sku_and_its_barcodes_in_every_length(
    memory: Memory,
) -> None:
    tell(memory, [described("soap", SHORT, OTHER)])
    whole = {"soap", SHORT, LONG, CASE, OTHER, f"0{OTHER}"}
    for code in whole:
        assert await codes(memory, code) == whole


async def test_an_item_without_barcodes_is_known_by_one_question(memory: Memory) -> None:
    tell(memory, [described("soap")])
    reading = Reading(memory)
    assert (await item_of(reading, "soap", T0)).codes == ("soap",)  # type: ignore[arg-type]
    assert reading.questions == 1


DECLARED = (
    described("soap", SHORT),
    described("bar", LONG, valid_from=T0 - 5, minute=9),  # told last, but of before
    described("flakes", CASE, valid_from=T0 - 5, minute=3),
    described("soon", SHORT, valid_from=T0 + 1),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_a_barcode_belongs_to_the_latest_declaration_in_any_order(
    memory: Memory, order: tuple[int, ...]
) -> None:
    tell(memory, [DECLARED[at] for at in order])
    assert await codes(memory, LONG) == {"soap", SHORT, LONG, CASE}
    assert await codes(memory, "bar") == {"bar"}
    assert await codes(memory, SHORT, at=T0 + 1) == {"soon", SHORT, LONG, CASE}
    assert await codes(memory, LONG, at=T0 - 5) == {"bar", SHORT, LONG, CASE}


async def test_every_code_belongs_to_one_item_only(memory: Memory) -> None:
    """An item whose sku is another's barcode owns nothing; two that declare each other neither."""
    tell(memory, [described("soap", SHORT), described(SHORT, OTHER), described(OTHER, "96385074")])
    tell(memory, [described("96385074", OTHER)])
    found = {code: await codes(memory, code) for code in ("soap", SHORT, OTHER, "96385074")}
    for code, whole in found.items():
        assert code in whole
        assert all(found[other] == whole for other in whole & found.keys())


def test_cells_add_up_where_nothing_was_counted() -> None:
    rows = [
        {"sku": sku, "location_id": "S1", "on_hand": 2, "on_hand_read_at": None, "committed": 1,
         "unavailable": 0, "incoming": 3}
        for sku in ("soap", SHORT)
    ]  # fmt: skip
    owns = {SHORT: "soap"}
    assert needs_counts(rows, owns) == set()
    (whole,) = merged(rows, owns, {})
    assert (whole["sku"], whole["on_hand"], whole["committed"], whole["incoming"]) == (
        "soap", 4, 2, 6
    )  # fmt: skip
    rows[1]["on_hand_read_at"] = 5
    assert needs_counts(rows, owns) == {"soap"}
    assert needs_counts(rows[:1], owns) == needs_counts(rows[1:], owns) == set()
    assert merged(rows, owns, {("soap", "S1"): 7})[0]["on_hand"] == 7
