"""From two registrations to one member: the whole road, once."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.services.identity.town import TOKENS, Town, registered, town

pytestmark = pytest.mark.servers
WHO = {
    "name": "髙橋 花子",
    "name_kana": "タカハシ ハナコ",
    "postcode": "150-0001",
    "address": "東京都渋谷区神宮前1丁目2番3号",
    "birth_date": "1985-04-12",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("identity")) as made:
        yield made


def test_two_profiles_of_one_person_become_one_member(place: Town) -> None:
    card = registered(**WHO, card="2900 0000 0001", phone="090-1111-2222")
    account = registered(
        name="高橋花子", birth_date="1985-04-12", postcode="1500001",
        address="渋谷区神宮前１−２−３", account="ec-1", email="hanako@example.com",
    )  # fmt: skip
    place.tells([card, account])
    place.settled()
    one, other = sorted([card["profile_id"], account["profile_id"]])
    assert {tuple(map(str, pair)) for pair in place.pairs()} == {(one, other)}
    assert place.member_of(one) == place.member_of(other)
    headers = {"Authorization": f"Bearer {TOKENS['app']}"}
    url = f"{place.reads}/v1/members/{other}"

    def shown() -> list[str]:
        answer = httpx.get(url, headers=headers, trust_env=False)
        return sorted(answer.json()["data"]["profile_ids"]) if answer.status_code == 200 else []

    # Postgres has it, Redis gets it after that
    place.until(lambda: shown() == [one, other])
