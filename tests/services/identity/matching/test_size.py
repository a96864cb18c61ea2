"""Do rules fit into one fact, however many people taught them?"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.wire.bounds import BODY_MAX
from services.identity.matching import Features, Person, features
from services.identity.matching.frequencies import LEAST_PEOPLE, MOST_TERMS, frequencies
from services.identity.matching.model import MatchModel


def test_rules_fit_into_one_fact(model: MatchModel) -> None:
    kinds = ("email", "phone")
    people = list(_everybody_ten_times(3 * MOST_TERMS))
    found = frequencies(people, model.salt, kinds, dict.fromkeys((*_FIELDS, *kinds), 0.0))
    assert {len(found[field].terms) for field in ("family", "given", "birth_date")} == {MOST_TERMS}
    full = model.model_copy(update={"frequencies": found})
    assert len(full.to_json().encode()) < BODY_MAX * 0.9


_FIELDS = ("family", "given", "birth_date", "address")


def _everybody_ten_times(names: int) -> Sequence[Features]:
    one = features(Person("山田 健一", None, None, None, "1970-04-01", ()))
    return [
        one._replace(
            family=f"姓{number}", given=f"名{number}", birth_date=f"{number:08d}",
            town=f"町{number}", city=f"市{number}",
            identifiers=(("email", number.to_bytes(16)), ("phone", number.to_bytes(16))),
        )
        for number in range(names)
        for _ in range(LEAST_PEOPLE)
    ]  # fmt: skip
