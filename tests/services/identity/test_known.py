"""Does the matcher know everybody, after a switch, a restart, a take-over and a kill?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.services.identity.town import TOKENS, Desk, Town, registered, updated
from tests.services.identity.weighing import rules
from tests.services.rebuild.road import road

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
SIZE, PATIENCE = 120, 150


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town that knew no rules until it was switched to its first ones."""
    with road(tmp_path_factory.mktemp("known"), TOKENS) as own:
        made = Town(own)
        made.tells([person(number) for number in range(SIZE)])
        made.until(lambda: own.sql("select count(*) from profile") == [(SIZE,)])
        made.until(made.desk.ready)  # without rules there is nothing to know
        file = own.home / "rules.json"
        file.write_text(rules("first").model_dump_json(by_alias=True), "utf-8")
        assert own.verb("identity", "replay", "--rules", str(file), "--switch")["switched"]
        yield made
        made.close()


def person(number: int, **more: Any) -> dict[str, Any]:
    """Somebody of a name, a birthday and a house that nobody else has."""
    name = f"{'佐鈴高田渡伊山中小加'[number % 10]}{'藤木橋中辺'[number // 10 % 5]} 子{number}"
    birth_date = f"19{50 + number // 28}-0{number % 9 + 1}-{number % 28 + 1:02}"
    house = f"東京都渋谷区神宮前1丁目{number + 1}番3号"
    fields = {"name": name, "birth_date": birth_date, "postcode": "150-0001", "address": house}
    return registered(**(fields | more))


def state(desk: Desk) -> tuple[int, dict[str, Any]]:
    try:
        answer = httpx.get(f"{desk.url}/readyz", trust_env=False)
    except httpx.TransportError:
        return 0, {}
    return answer.status_code, answer.json()["dependencies"]["matcher"]


def knows(desk: Desk) -> int | None:
    """How many profiles a ready process knows, by its own words."""
    code, said = state(desk)
    return said["known"] if code == 200 else None


def stored(place: Town) -> int:
    (row,) = place.road.sql("select count(*) from match_features")
    return int(row[0])


def forgotten(place: Town) -> None:
    """As if no features had ever been stored, while the rules' progress stands at the end."""
    place.road.sql("delete from match_features")
    place.road.sql("delete from match_progress where rule_version = ''")


def again(desk: Desk) -> None:
    """Killed, and started anew."""
    desk.kill()
    desk.start()


def copied(place: Town, number: int) -> bool:
    """Whether a copy of somebody stored is linked with them."""
    place.tells([copy := person(number)])
    one = UUID(copy["profile_id"])
    place.until(lambda: place.road.sql("select 1 from member_group where profile_id = %s", one))
    place.settled()
    return any(one in pair for pair in place.pairs())


def test_after_a_switch_and_a_restart_everybody_is_known(place: Town) -> None:
    place.until(lambda: knows(place.desk) == SIZE, PATIENCE)
    place.tells([updated(person(0)["profile_id"], "2026-05-01T10:00:00+09:00", name="新 人")])
    place.settled()
    everybody = SIZE + 1
    again(place.desk)
    place.until(lambda: state(place.desk)[0] == 200, PATIENCE)
    assert knows(place.desk) == everybody
    assert stored(place) == everybody
    assert copied(place, 7)


@pytest.mark.long
def test_killed_while_it_catches_up_it_forgets_nobody(place: Town) -> None:
    place.until(place.desk.ready, PATIENCE)
    everybody = knows(place.desk)
    assert everybody is not None
    place.desk.kill()
    forgotten(place)
    for some in (1, everybody // 2, everybody - 1):
        place.desk.start()
        place.until(lambda: stored(place) >= some, PATIENCE)  # noqa: B023
        place.desk.kill()
    place.desk.start()
    place.until(lambda: state(place.desk)[0] == 200, PATIENCE)
    assert knows(place.desk) == everybody
    again(place.desk)
    place.until(lambda: state(place.desk)[0] == 200, PATIENCE)
    assert knows(place.desk) == everybody


def test_who_was_forgotten_before_is_learned_and_compared(place: Town) -> None:
    """Progress that says more than is stored: stacks have it from before this was mended."""
    place.until(place.desk.ready, PATIENCE)
    everybody = knows(place.desk)
    assert everybody is not None
    place.desk.kill()
    copy = person(9)
    place.tells([copy])
    profile = UUID(copy["profile_id"])
    place.until(lambda: place.road.sql("select 1 from profile where profile_id = %s", profile))
    ends = place._ends()
    place.road.sql("delete from match_features")
    place.road.sql("update match_progress set positions = %s", list(ends))
    place.desk.start()
    place.until(lambda: knows(place.desk) == everybody + 1, PATIENCE)
    place.until(lambda: stored(place) == everybody + 1)
    place.until(lambda: any(profile in pair for pair in place.pairs()))


@pytest.mark.long
def test_a_share_that_is_taken_over_while_its_holder_catches_up_loses_nobody(
    place: Town,
) -> None:
    place.until(place.desk.ready, PATIENCE)
    everybody = knows(place.desk)
    place.desk.kill()
    forgotten(place)
    place.desk.start()
    other = Desk(place.road, "identity-2")
    try:
        place.until(lambda: state(other)[0] == 200, PATIENCE)
        place.until(lambda: state(place.desk)[0] == 200, PATIENCE)
        assert knows(other) == knows(place.desk) == everybody
    finally:
        other.kill()
    place.until(lambda: stored(place) == everybody, PATIENCE)
    again(place.desk)
    place.until(lambda: state(place.desk)[0] == 200, PATIENCE)
    assert knows(place.desk) == everybody
