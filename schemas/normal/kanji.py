"""Which kanji are one character in an older, a rarer or a newer form?

The table is the library jntajis': the MJ shrink map of the Character Information Technology
Promotion Council (戸籍統一文字 and the notices of the Ministry of Justice) and the National Tax
Agency's JIS縮退マップ.
"""

import jntajis

_EVERY_SCHEME = jntajis.MJShrinkSchemeCombo(15)
_FIRST, _LAST = 0x3400, 0x3FFFF


def _shrunk(character: str) -> str:
    options = jntajis.mj_shrink_candidates(character, _EVERY_SCHEME)
    options = [option for option in options if len(option) == 1 and option != character]
    if not options:
        option = jntajis.jnta_shrink_translit(character, replacement=character)
        return option if len(option) == 1 else character
    return options[0]


def _level(character: str) -> tuple[int, int]:
    """The first of two is the commoner one: JIS level 1, level 2, what JIS X 0208 does not have."""
    try:
        code = character.encode("shift_jis")
    except UnicodeEncodeError:
        return 3, ord(character)
    return (1 if code < b"\x98\x9f" else 2), ord(character)


def _newest(character: str) -> str:
    seen = [character]
    while (after := _shrunk(seen[-1])) not in seen:
        seen.append(after)
    # Two forms may each name the other: the commoner one stands for both.
    circle = seen[seen.index(after) :]
    return min(circle, key=_level)


class _Table(dict[int, str]):
    """Asks the library once for a character; what is no kanji stays."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        form = _newest(character) if _FIRST <= code <= _LAST else character
        self[code] = form
        return form


_TABLE = _Table()


def newest(text: str) -> str:
    """Each kanji in its newest and commonest form: 髙 is 高, 﨑 崎, 邊 and 邉 辺, 齋 斎."""
    return text if text.isascii() else text.translate(_TABLE)
