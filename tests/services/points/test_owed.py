"""Spent across two profiles that turn out to be two people: a debt that both can see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from projections.core.instants import micros
from tests.projections.saying import MINUTE, T0
from tests.services.points.wallet import Wallet, wallet

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def purse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with wallet(tmp_path_factory.mktemp("owed")) as made:
        yield made


def test_what_was_spent_across_a_link_is_owed_after_the_unlink(purse: Wallet) -> None:
    card, account = purse.earned(100), purse.earned(60)
    pair = {"profile_id": card.bytes, "other_profile_id": account.bytes}
    purse.append("ProfilesLinked", at=T0, **pair)
    purse.until(lambda: purse.points(card)["balance"] == 160)
    assert purse.redeem(card, 150).status_code == 200
    purse.until(lambda: purse.points(card)["balance"] == 10)
    owed = f"/v1/members/{card}/points/owed"
    assert purse.read(owed) == {"owes": [], "is_owed": []}

    purse.append("ProfilesUnlinked", at=T0 + MINUTE, **pair)
    purse.until(lambda: purse.points(account)["balance"] != purse.points(card)["balance"])
    left = {who: purse.points(who)["balance"] for who in (card, account)}
    debt = 60 - left[account]
    assert debt in (50, 60)
    between = {"profile_id": str(card), "owner_id": str(account), "points": debt}
    assert purse.read(owed) == {"owes": [between], "is_owed": []}
    assert purse.read(f"/v1/members/{account}/points/owed") == {"owes": [], "is_owed": [between]}

    # what came after belongs to who earned it, and a transfer repays
    purse.earned(70, card)
    purse.append(
        "PointsTransferred", profile_id=card.bytes, to_profile_id=account.bytes, points=debt,
        allocations=[], at=micros(datetime.now(UTC)),
    )  # fmt: skip
    purse.until(lambda: purse.points(account)["balance"] == 60)
    assert purse.points(card)["balance"] == left[card] + 70 - debt
    assert purse.read(owed) == {"owes": [], "is_owed": []}
