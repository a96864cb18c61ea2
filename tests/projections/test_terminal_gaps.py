"""A till numbers its receipts without gaps, so a gap is a receipt that never came."""

from __future__ import annotations

from projections.core.memory import Memory
from projections.terminal_gaps import receipts
from schemas.generated.events import DeadLettered, PointsEarned
from schemas.generated.events.parts import EarnedLot
from tests.projections.saying import meta, named, tell


def earned(receipt: int) -> PointsEarned:
    return PointsEarned(
        meta=meta(receipt=receipt),
        profile_id=named("hanako"),
        lots=[EarnedLot(lot_id=named("lot"), points=1)],
    )


def seen(memory: Memory) -> list[str]:
    return [row["seen"] for row in memory.table(receipts).values()]


def test_receipts_4_and_5_never_came(memory: Memory) -> None:
    tell(memory, [earned(number) for number in (6, 1, 3, 2, 3)])
    assert seen(memory) == ["{[1,4),[6,7)}"]


def test_a_receipt_among_the_dead_letters_has_come(memory: Memory) -> None:
    letter = DeadLettered(
        meta=meta(receipt=2),
        source_topic="commerce.points",
        source_partition=0,
        source_offset=7,
        stage="decode",
        error_class="Undecodable",
        reason="the value is empty",
    )
    tell(memory, [earned(1), letter, earned(3)])
    assert seen(memory) == ["{[1,4)}"]


def test_each_partition_keeps_what_it_saw(memory: Memory) -> None:
    tell(memory, [earned(1)], source=10_001)
    tell(memory, [earned(2)], source=20_001)
    assert seen(memory) == ["{[1,2)}", "{[2,3)}"]


def test_a_row_holds_a_block_of_numbers_however_many_there_are(memory: Memory) -> None:
    tell(memory, [earned(number) for number in range(998, 3_000, 2)])
    rows = memory.table(receipts).values()
    assert [(row["block"], row["seen"].count(",")) for row in rows] == [(0, 1), (1, 999), (2, 999)]
