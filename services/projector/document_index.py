"""Adds documents to the event ledger of an older release, and creates the index of documents.

An older release recognised resends by event id only. The sales that it has applied get their
document key here, before the projector reads its first record, so that a sale that is sent again
with another event id is recognised. The hash of their content stays null until that happens; then
the first record is read from Kafka.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from projections.core.sql import DOCUMENTS_INDEX
from services.runtime.groups import LIVE
from services.runtime.logging import log

Connection = psycopg.Connection[Any]
PATH = sql.SQL("set local search_path = {}, hitotsu")
HAS_COLUMNS = """
select exists (select from pg_attribute where attrelid = to_regclass('ledger')
    and attname = 'document' and not attisdropped)
"""
# a table of before profiles were kept
LACKS_PROFILE = """
select exists (select from pg_class where oid = to_regclass('duplicate_document'))
    and not exists (select from pg_attribute where attrelid = to_regclass('duplicate_document')
        and attname = 'subject' and not attisdropped)
"""
ADD_PROFILE = "alter table duplicate_document add column subject uuid"
ADD_COLUMNS = "alter table ledger add column document uuid, add column content bigint"
EXISTS = "select to_regclass(%s) is not null"
# a sale's document key is its transaction id; of two events of one sale the first record gets it
OLD_SALES = sql.SQL("""
update ledger l set document = first.transaction_id
from (
    select distinct on (p.transaction_id) p.transaction_id, o.event_id
    from {} p join ledger o on o.event_id = p.event_id
    order by p.transaction_id, o.topic, o.partition, o."offset"
) first
where l.event_id = first.event_id and l.document is null
""")


def prepare_documents(connection: Connection, group: str) -> None:
    """Adds the columns of documents to the ledger and creates their index, if these are missing.

    It uses two transactions, so that readers do not wait while the column `document` is filled.
    """
    schema = sql.Identifier(group)
    with connection.transaction():
        connection.execute(PATH.format(schema))
        ((has_columns,),) = connection.execute(HAS_COLUMNS).fetchall()
        if not has_columns:
            connection.execute(ADD_COLUMNS)
        ((lacks_profile,),) = connection.execute(LACKS_PROFILE).fetchall()
        if lacks_profile:
            connection.execute(ADD_PROFILE)
    with connection.transaction():
        connection.execute(PATH.format(schema))
        if _exists(connection, "ledger_document"):
            return
        for name in ("purchase", f"{LIVE}.purchase"):
            if _exists(connection, name):
                sales = OLD_SALES.format(sql.Identifier(*name.split(".")))
                many = connection.execute(sales).rowcount
                log.info("old_documents_indexed", group=group, sales=many)
                break
        connection.execute(DOCUMENTS_INDEX)


def _exists(connection: Connection, name: str) -> bool:
    ((exists,),) = connection.execute(EXISTS, [name]).fetchall()
    return bool(exists)
