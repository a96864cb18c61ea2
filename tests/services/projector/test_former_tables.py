"""Are tables of an older release dropped when nothing needs them any more, and not before?"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from projections.core import Projection, key, total
from tests.services.projector.test_projection_progress import READ, Database, own

__all__ = ["own"]  # the fixture
pytestmark = pytest.mark.servers
OLD = "create table main.purchase (event_id uuid, transaction_id uuid)"
DONE = """
delete from hitotsu.projection_building;
update hitotsu.projection_version set version = 2 where projection = 'sold'
"""


def sold(version: int) -> Projection:
    projection = Projection("sold", version=version, former_tables=("purchase", "never_there"))
    projection.table("units", sku=key("text"), units=total())
    return projection


def there(own: Database) -> bool:
    return own.execute("select to_regclass('main.purchase') is not null") == [(True,)]


def upgraded(own: Database) -> None:
    """A stack of before, whose projection is being built anew."""
    own.prepare(sold(1))
    own.execute(READ)
    own.execute(OLD)
    assert own.prepare(sold(2)) == {"sold"}


def test_they_stay_while_their_projection_is_being_built_and_go_at_the_next_start(
    own: Database,
) -> None:
    upgraded(own)
    assert own.prepare(sold(2)) == {"sold"}
    assert there(own)
    own.execute(DONE)
    with ThreadPoolExecutor(3) as starts:
        built = list(starts.map(lambda _: own.prepare(sold(2)), range(3)))
    assert (built, there(own)) == ([frozenset()] * 3, False)
    assert own.prepare(sold(2)) == frozenset()


def test_they_stay_while_the_ledger_of_another_group_lacks_the_documents_of_old_sales(
    own: Database,
) -> None:
    upgraded(own)
    own.execute(DONE)
    own.execute("create schema shadow; create table shadow.ledger (event_id uuid, document uuid)")
    own.prepare(sold(2))
    assert there(own)
    own.execute("create unique index ledger_document on shadow.ledger (document)")
    own.prepare(sold(2))
    assert not there(own)


def test_a_reader_is_not_waited_for(own: Database) -> None:
    upgraded(own)
    own.execute(DONE)
    with psycopg.connect(own.dsn) as dump:
        dump.execute("select from main.purchase")
        began = time.monotonic()
        own.prepare(sold(2))
        assert time.monotonic() - began < 15
        assert there(own)
    own.prepare(sold(2))
    assert not there(own)


def test_an_upgrade_is_recorded_once_with_the_place_where_the_old_tables_stand(
    own: Database,
) -> None:
    upgraded(own)
    rows = "select projections, positions, finished_at from hitotsu.upgrade"
    recorded = (["sold"], {"commerce.purchases-0": 7}, None)
    assert own.execute(rows) == [recorded]
    own.execute("update hitotsu.checkpoint set next_offset = 9, applied = 9")
    own.prepare(sold(2))
    own.prepare(sold(3))
    assert own.execute(rows) == [recorded], "the old tables still stand where they stood"


def test_a_projection_that_is_new_is_no_upgrade(own: Database) -> None:
    own.prepare()
    own.execute(READ)
    assert own.prepare(sold(1)) == {"sold"}
    assert own.execute("select from hitotsu.upgrade") == []
