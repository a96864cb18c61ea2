"""Builds the query that finds an applied event's record in the log.

An event that is a copy (it reported a document again) has the record of the first such event.
"""

from __future__ import annotations

from psycopg import sql

_APPLIED = """
select topic.name as topic, ledger.partition, ledger."offset", null::uuid as duplicate_of
from {ledger} as ledger join hitotsu.topic on topic.no = ledger.topic
where ledger.event_id = %(event_id)s
union all
select topic.name, ledger.partition, ledger."offset", copy.duplicate_of
from {copies} as copy join {ledger} as ledger on ledger.event_id = copy.duplicate_of
join hitotsu.topic on topic.no = ledger.topic where copy.event_id = %(event_id)s
"""


def applied_statement(group: str) -> str:
    """The query by `event_id`: topic, partition, offset and `duplicate_of`, the id of the event of
    which it is a copy (null: it is not a copy).
    """
    names = {"ledger": "ledger", "copies": "duplicate_document"}
    return _APPLIED.format(
        **{key: sql.Identifier(group, name).as_string() for key, name in names.items()}
    )
