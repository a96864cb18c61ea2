"""Is a great component regrouped within its transaction's limits, whatever holds it together?"""

from __future__ import annotations

import time
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from projections.member.grouping import Groups, components, members_of
from schemas.generated.events import ProfilesUnlinked
from tests.projections.driving import Engine, Log
from tests.projections.saying import meta

MANY, SECONDS = 10_000, 5.0
Pairs = list[tuple[bytes, bytes]]


def ids(many: int) -> list[bytes]:
    return [UUID(int=number + 1).bytes for number in range(many)]


def shapes(many: int) -> dict[str, dict[str, Any]]:
    """Components of so many profiles, each with something that goes against it."""
    one = ids(many)
    star = [(one[0], other, "default", "linked") for other in one[1:]]
    apart = [(one[0], other, "apart") for other in one[1:]]
    cards = [(profile, "card", profile, True, 1) for profile in one]
    halves = [(a, b, "linked") for a, b in pairwise(one) if b != one[many // 2]]
    across = [(one[n], one[many - 1 - n], "default", "linked") for n in range(many // 2)]
    middle = [(one[0], other, "default", "linked") for other in one[many // 2 :]]
    return {
        "a star of which the hub is set apart": {"links": apart, "proposals": star},
        "a star with two set apart": {"links": [(one[1], one[2], "apart")], "proposals": star},
        "a star of cards": {"identifiers": cards, "proposals": star},
        "two halves that are set apart": {
            "links": [*halves, (one[0], one[-1], "apart")], "proposals": across
        },
        "a half with many beside it": {
            "links": [*halves[: many // 2 - 1], (one[1], one[-1], "apart")], "proposals": middle,
            "identifiers": cards,
        },
    }  # fmt: skip


@pytest.mark.parametrize("shape", shapes(8))
def test_ten_thousand_are_decided_within_five_seconds(shape: str) -> None:
    known: dict[str, Any] = {"identifiers": [], "links": [], "proposals": []}
    known |= shapes(MANY)[shape]
    nodes = [(profile, number) for number, profile in enumerate(ids(MANY))]
    began = time.process_time()
    found = members_of(nodes, rules=[], **known)
    assert time.process_time() - began < SECONDS
    assert len(found) == MANY


@pytest.mark.parametrize("shape", shapes(8))
def test_what_is_decided_is_what_each_pair_by_itself_would_say(shape: str) -> None:
    known: dict[str, Any] = {"identifiers": [], "links": [], "proposals": []}
    known |= shapes(40)[shape]
    nodes = [(profile, number) for number, profile in enumerate(ids(40))]
    plain = Groups._with_found
    try:
        Groups._with_found = _by_pairs  # type: ignore[method-assign]
        expected = members_of(nodes, rules=[], **known)
    finally:
        Groups._with_found = plain  # type: ignore[method-assign]
    assert members_of(nodes, rules=[], **known) == expected


def _by_pairs(self: Any, settled: list[set[bytes]], cases: dict[bytes, int]) -> Any:
    """Every link by itself, and every union made anew: plain, and as slow as that is."""
    where = {profile: number for number, part in enumerate(settled) for profile in part}
    for profile in {profile for edge in self.edges.found for profile in edge} - where.keys():
        where[profile] = len(settled)
        settled.append({profile})
    waiting, joining = set(cases), []
    for one, other in self.edges.found:
        pair = where[one], where[other]
        if pair[0] == pair[1] or (one in cases and cases[one] == cases.get(other)):
            continue
        if self.conflict(settled[pair[0]] | settled[pair[1]]):
            waiting |= settled[pair[0]] | settled[pair[1]]
        else:
            joining.append(pair)
    parts = []
    for numbers in components(range(len(settled)), joining):
        union = set().union(*(settled[number] for number in numbers))
        if len(numbers) > 1 and self.conflict(union):
            waiting |= union
            parts += [settled[number] for number in numbers]
        else:
            parts.append(union)
    return [(part, not waiting.isdisjoint(part)) for part in parts]


def filled(engine: Engine, pairs: Pairs, profiles: list[bytes]) -> None:
    """One member of all of them, linked by rules."""
    engine.reset()
    everybody = [UUID(bytes=one) for one in profiles]
    engine.connection.execute(
        "insert into profile (profile_id, registered_at, row_version)"
        " select id, n, 1 from unnest(%s::uuid[]) with ordinality as x(id, n)", [everybody]
    )  # fmt: skip
    engine.connection.execute(
        "insert into rule_link (profile_id, other_profile_id, rule_version, decided_at, verdict,"
        " row_version) select a, b, 'default', 1, 'linked', 1"
        " from unnest(%s::uuid[], %s::uuid[]) as x(a, b)",
        [[UUID(bytes=one) for one, _ in pairs], [UUID(bytes=other) for _, other in pairs]],
    )
    engine.connection.execute(
        "insert into member_group (profile_id, member_id, profiles, open_case, row_version)"
        " select id, %(first)s, case when id = %(first)s then %(all)s::uuid[] end, false, 1"
        " from unnest(%(all)s::uuid[]) as x(id)",
        {"first": everybody[0], "all": everybody},
    )
    # others, as on any day: how rows are looked up is planned by what most of them are like
    engine.connection.execute(
        "insert into rule_link (profile_id, other_profile_id, rule_version, decided_at, verdict,"
        " row_version) select md5('a' || n)::uuid, md5('b' || n)::uuid, 'default', 1, 'linked', 1"
        " from generate_series(1, 40000) n"
    )
    engine.connection.execute("analyze rule_link, member_group, profile")


def spent(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.servers
@pytest.mark.parametrize(
    "name, many", [("star", MANY), ("chain", MANY), ("everybody with everybody", 500)]
)
def test_a_great_component_is_regrouped_within_five_seconds(
    engine: Engine, name: str, many: int
) -> None:
    """A person sets one of its profiles apart; so many links stacks may hold from before."""
    profiles = ids(many)
    pairs = {
        "star": [(profiles[0], other) for other in profiles[1:]],
        "chain": list(pairwise(profiles)),
        "everybody with everybody": list(combinations(profiles, 2)),
    }[name]
    filled(engine, pairs, profiles)
    writer = engine.writer.connection
    assert writer is not None
    began = spent(writer.info.backend_pid), time.process_time()
    engine.tell(
        ProfilesUnlinked(
            meta=meta(), profile_id=profiles[-1], other_profile_id=profiles[-2], decided_by="PERSON"
        ),
        log=Log(),
    )
    took = spent(writer.info.backend_pid) - began[0] + time.process_time() - began[1]
    counted = "select count(*), count(distinct member_id) from member_group where open_case"
    # where nothing else goes around the pair, the rest stays together and nobody has to decide
    row = engine.connection.execute(counted).fetchone()
    assert row == ((0, 0) if name == "chain" else (many, many))
    assert took < SECONDS
