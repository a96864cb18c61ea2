"""What Redis is handed, read as rows again."""

from __future__ import annotations

from projections.core.redis_rows import Chunks, ViewRow


def rows_of(chunks: Chunks) -> list[ViewRow]:
    """Every row of the chunks, in order; each chunk holds as many as it says."""
    found: list[ViewRow] = []
    for many, data in chunks:
        texts = _texts(data)
        assert len(texts) == 3 * many
        for key, field, value in zip(*[iter(texts)] * 3, strict=True):
            version, _, payload = value.partition("|")
            found.append((key, field, int(version), payload))
    return found


def _texts(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        assert data[at : at + 1] == b"\xdb"
        size = int.from_bytes(data[at + 1 : at + 5])
        found.append(data[at + 5 : at + 5 + size].decode())
        at += 5 + size
    return found
