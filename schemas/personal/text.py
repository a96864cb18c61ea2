"""Which characters are the same character, whatever keyboard or till wrote them?"""

import re
import unicodedata

import jaconv

HYPHENS = re.compile(
    "[-\u00ad\u02d7\u2010-\u2015\u2043\u2212\u23af\u23e4\u2500\u2501"
    "\u30fc\u301c~\uff0d\uff5e\uff70]"
)
"""What people take for a hyphen between digits, the long vowel mark and the wave dash included."""


def folded(text: str) -> str:
    """Full-width letters and digits become ASCII, half-width kana full-width; outer space goes."""
    return unicodedata.normalize("NFKC", text).strip()


def spaced(text: str) -> str:
    """Inner space, the ideographic one too, becomes one ASCII space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def katakana(text: str) -> str:
    return unicodedata.normalize("NFC", str(jaconv.hira2kata(text)))
