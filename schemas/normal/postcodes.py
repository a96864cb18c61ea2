"""The normal form of a postcode: without its mark 〒, hyphens and full-width digits."""

import re

from schemas.normal.text import HYPHENS, composed

_MARKS = re.compile("[〒〶]")
_JAPANESE = re.compile(r"[0-9]{7}")
_FOREIGN = re.compile(r"[0-9A-Z]{3,10}")


def postcode(text: str) -> str | None:
    """A Japanese postcode as seven digits, a foreign code in capitals without spaces and hyphens.

    None if the text is neither.
    """
    bare = HYPHENS.sub("", "".join(_MARKS.sub("", composed(text)).split())).upper()
    return bare if _JAPANESE.fullmatch(bare) or _FOREIGN.fullmatch(bare) else None
