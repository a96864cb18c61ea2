"""Does the engine do for any projection what a projection declares?

A projection that no module knows declares its own erasure and its own held amounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from infra.backend import Endpoints
from projections.core import (
    HeldAmounts,
    Projection,
    Read,
    Row,
    Subject,
    View,
    key,
    plain,
    total,
)  # fmt: skip
from projections.core.fold import Folded, Group
from projections.core.memory import Memory
from projections.core.tables import Table
from schemas.generated.events import ConsentGiven, ConsentWithdrawn, CouponUsed
from services.reading.catalog import Catalog
from services.reading.held_amounts import HeldAmountsReader
from services.reading.measures import ProjectionMeasures
from services.reading.operations import of_query
from services.runtime.build_state import Builds
from services.runtime.db import pool
from tests.projections.driving import Engine, Log
from tests.projections.saying import meta, named

WHO, OTHER, COUPON = named("tanaka"), named("sato"), named("coupon")
DECISIONS = """
create table hitotsu.coupon_hold (
    id uuid primary key, profile_id uuid not null, coupons bigint not null, state text not null,
    applied_version bigint, applied_partition int, applied_offset bigint
);
create view hitotsu.coupon_held as
    select profile_id, sum(coupons)::bigint as coupons from hitotsu.coupon_hold
    where state = 'decided' group by 1;
insert into hitotsu.coupon_hold values (%s, %s, 1, 'decided'), (%s, %s, 2, 'decided')
"""


def coupons() -> tuple[Projection, Table, HeldAmounts]:
    """Coupons used, by customer; a coupon that was promised is held until its use is a fact."""
    projection = Projection("coupons")
    used = projection.table(
        "coupons_used",
        profile_id=key("uuid"),
        used=total(),
        view=View(by=("profile_id",)),
        versioned=True,
    )
    held = projection.held(
        "coupon_hold",
        beside=used,
        by={"profile_id": "profile_id"},
        amount="coupons",
        sums=("coupon_held", "coupons"),
        ended_by=CouponUsed,
        named={"id": "coupon_id", "profile_id": "profile_id"},
        awaiting="decided",
        mark="applied_version",
        fact_id=lambda hold: hold["id"],
    )

    @projection.on(CouponUsed)
    def count(event: CouponUsed) -> Iterator[Row]:
        yield used(profile_id=event.profile_id, used=1)

    return projection, used, held


def consents() -> tuple[Projection, Table]:
    """Purposes that a customer agreed to; all of them go when one is withdrawn."""
    projection = Projection("purposes")
    projection.erases(ConsentWithdrawn, subject="profile_id")
    table = projection.table(
        "purposes", profile_id=key("uuid"), purpose=key("text"), times=total(),
        subject="profile_id", forget=True,
    )  # fmt: skip

    @projection.on(ConsentGiven)
    def given(event: ConsentGiven) -> Iterator[Row]:
        yield table(profile_id=event.profile_id, purpose=event.purpose, times=1)

    return projection, table


def use(coupon: bytes = COUPON, who: bytes = WHO) -> CouponUsed:
    return CouponUsed(meta=meta(), coupon_id=coupon, profile_id=who)


def test_any_event_that_a_projection_declares_ends_its_subjects_rows(servers: Endpoints) -> None:
    projection, table = consents()
    group = Group("main", [projection])
    events = [
        *(
            ConsentGiven(meta=meta(), profile_id=who, purpose="mail", text_version="1")
            for who in (WHO, OTHER)
        ),
        ConsentWithdrawn(meta=meta(), profile_id=WHO, purpose="mail"),
        ConsentGiven(meta=meta(), profile_id=WHO, purpose="phone", text_version="1"),
    ]
    memory, own, log = Memory(group), Engine(servers, group), Log()
    try:
        for event in events:
            memory.take(event, 0)
            own.tell(event, log=log)
        assert own.rows(table) == memory.table(table)
        assert set(memory.table(table)) == {(OTHER, "mail")}
    finally:
        own.close()


async def test_a_third_thing_that_is_held_ends_and_is_read_by_its_declaration_alone(
    servers: Endpoints,
) -> None:
    projection, _, held = coupons()
    own, log = Engine(servers, Group("main", [projection])), Log()
    try:
        for statement in DECISIONS.strip().split(";\n"):
            values = (
                [UUID(bytes=one) for one in (COUPON, WHO, named("another"), WHO)]
                if "%s" in statement
                else None
            )
            own.connection.execute(statement.encode(), values)
        whose, earlier = UUID(bytes=WHO), [{"profile_id": UUID(bytes=WHO), "row_version": 0}]
        async with pool(own.dsn) as connections:
            reader = HeldAmountsReader(connections, "main")
            assert await reader.beside(held, [whose], earlier, {}) == {(whose,): 3}
            own.tell(use(), log=log)
            rows = own.connection.execute(
                "select state, applied_version from hitotsu.coupon_hold order by coupons"
            ).fetchall()
            assert rows == [("applied", 1), ("decided", None)]
            # who read the row before it had the fact still counts the coupon, who read it after not
            assert await reader.beside(held, [whose], earlier, {}) == {(whose,): 3}
            now = [{"profile_id": whose, "row_version": 1}]
            assert await reader.beside(held, [whose], now, {}) == {(whose,): 2}
            await reader.close()
    finally:
        own.close()


def test_a_fact_without_the_decision_s_id_ends_nothing() -> None:
    projection = Projection("sales")
    ledger = projection.ledger("sales", profile_id=plain("uuid"))
    projection.held(
        "sale_hold", beside=ledger, by={"profile_id": "profile_id"}, amount="units",
        sums=("sale_held", "units"), ended_by=CouponUsed, named={"id": "transaction_id"},
        awaiting="decided", mark="applied_event", fact_id=lambda hold: hold["id"],
    )  # fmt: skip
    group, folded = Group("main", [projection]), Folded()
    event = use()
    group.take(event, event.meta.event_id, 0, folded)
    assert not folded.ended


def test_a_subject_that_nothing_erases_is_refused() -> None:
    projection = Projection("forgotten")
    projection.table("forgotten", profile_id=key("uuid"), times=total(), subject="profile_id")
    with pytest.raises(TypeError, match="forgotten: no event erases the subjects of"):
        Group("main", [projection])


def test_one_event_cannot_erase_two_subjects() -> None:
    first, second = Projection("first"), Projection("second")
    first.erases(ConsentWithdrawn, subject="profile_id")
    second.erases(ConsentWithdrawn, subject="purpose")
    with pytest.raises(
        TypeError, match="second: ConsentWithdrawn is declared with two subject fields"
    ):
        Group("main", [first, second])


def test_amounts_beside_rows_without_a_version_are_refused() -> None:
    projection = Projection("unversioned")
    table = projection.table("unversioned", profile_id=key("uuid"), used=total())
    with pytest.raises(TypeError, match="unversioned must be versioned"):
        projection.held(
            "hold", beside=table, by={"profile_id": "profile_id"}, amount="coupons",
            sums=("held", "coupons"), ended_by=CouponUsed, named={"id": "coupon_id"},
            awaiting="decided", mark="applied_version", fact_id=lambda hold: hold["id"],
        )  # fmt: skip


def test_a_measure_of_a_metric_that_does_not_exist_is_refused() -> None:
    projection = Projection("measured")
    projection.measure("hitotsu_no_such_metric", "select 1")
    catalog = Catalog([projection])
    with pytest.raises(TypeError, match=r"lacks .*hitotsu_no_such_metric"):
        ProjectionMeasures(pool("host=127.0.0.1"), catalog, Builds(catalog.versions))


def test_a_query_whose_subject_nothing_resolves_is_refused() -> None:
    projection = Projection("unresolved")

    @projection.query("/v1/anybody/{anybody_id}", scope="members:read")
    async def of(read: Read, anybody: Subject) -> str:
        return str(anybody.id)

    with pytest.raises(TypeError, match=r"of: .* named like a resolver, not anybody"):
        of_query(projection.queries[0], Catalog([projection]))
