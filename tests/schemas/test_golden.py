"""What was once written is understood for ever, by us and by anybody's Avro reader."""

import json
from io import BytesIO
from typing import Any

import fastavro
import pytest

from schemas.generated.records import TO_RECORD
from schemas.history.releases import releases
from schemas.sent_codes import changes
from schemas.tools import golden_bytes
from schemas.tools.golden_bytes import Golden
from schemas.wire import codec

CORPUS = list(golden_bytes.corpus())


def _name(item: Golden) -> str:
    return f"{item.release.record}.v{item.release.version}"


def test_every_release_has_golden_values() -> None:
    assert golden_bytes.missing() == []
    assert {item.release.id for item in CORPUS} == set(releases().by_id)


def _keeps(now: Any, said: Any) -> bool:
    """Whether a decoded value holds all that was said; fields that came later may stand beside."""
    if isinstance(said, dict):
        return all(name in now and _keeps(now[name], value) for name, value in said.items())
    if isinstance(said, list):
        return len(now) == len(said) and all(map(_keeps, now, said))
    return bool(now == said)


@pytest.mark.parametrize("item", CORPUS, ids=_name)
def test_our_reader_understands_it(item: Golden) -> None:
    event = codec.decode(item.value)
    assert item.release.record == event.NAME
    said = json.loads(json.dumps(item.says))
    for path, code in changes(event.NAME, item.says).items():
        _put(said, path.split("."), code)
    assert _keeps(golden_bytes.plain(TO_RECORD[event.NAME](event)), said)


def _put(record: Any, path: list[str], code: str) -> None:
    """Codes are read in their normal form, whatever form they were written in."""
    *way, last = path
    for step in way:
        record = record[int(step) if isinstance(record, list) else step]
    record[last] = code


@pytest.mark.parametrize("item", CORPUS, ids=_name)
def test_any_avro_reader_understands_it(item: Golden) -> None:
    body = BytesIO(item.value[5:])
    schema: Any = fastavro.parse_schema(releases().schema(item.release))
    assert golden_bytes.plain(fastavro.schemaless_reader(body, schema, None)) == item.says
    assert body.read() == b""
