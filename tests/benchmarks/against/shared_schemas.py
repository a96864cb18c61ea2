"""Encodes events by the newest schemas that two trees know."""

from __future__ import annotations

from schemas.history.releases import Releases
from schemas.wire.codec import Codec


def codec_of(ids: set[int]) -> Codec:
    """A codec that writes with the newest version among `ids`. It is not for decoding.

    An event whose type has no version among `ids` cannot be encoded: KeyError.
    """
    known = Releases()
    known.by_id = {number: release for number, release in known.by_id.items() if number in ids}
    known.newest = {}
    for release in known:
        newest = known.newest.get(release.record)
        if newest is None or newest.version < release.version:
            known.newest[release.record] = release
    return Codec(known)
