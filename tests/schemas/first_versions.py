"""Records as releases before wrote them: in the first version of their schema."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro

from schemas.generated.records import TO_RECORD
from schemas.history.releases import Releases


def in_first_version(event: Any) -> bytes:
    """The value as it lies in Kafka; fields that came later are left out."""
    known = Releases()
    first = known.of(event.NAME)[0]
    buffer = BytesIO()
    schema = fastavro.parse_schema(known.schema(first))
    fastavro.schemaless_writer(buffer, schema, TO_RECORD[event.NAME](event))
    return b"\0" + first.id.to_bytes(4, "big") + buffer.getvalue()
