"""Replaces old, rare and variant kanji by the common modern form.

The tables come from the library jntajis: the MJ shrink map of the Character Information Technology
Promotion Council (JIS and UCS unification, the family register's and the residence card's notices
of the Ministry of Justice) and the National Tax Agency's JIS縮退マップ.
"""

from jntajis import MJShrinkSchemeCombo, jnta_shrink_translit, mj_shrink_candidates

_UNIFIED = MJShrinkSchemeCombo.JIS_INCORPORATION_UCS_UNIFICATION_RULE
_REGISTER = MJShrinkSchemeCombo.MOJ_FAMILY_REGISTER_ACT_RELATED_NOTICE
_INFERRED = MJShrinkSchemeCombo.INFERENCE_BY_READING_AND_GLYPH
_RESIDENCE = MJShrinkSchemeCombo.MOJ_NOTICE_582
_KANJI = range(0x3400, 0x40000)
_APART = frozenset("切功吊宍師書汎着")
"""The register's list of misspellings has these too, but they are distinct characters."""
_EXCHANGED = (
    "鯵鰺鴬鶯蛎蠣撹攪竃竈潅灌諌諫頚頸砿礦蕊蘂靭靱賎賤壷壺砺礪梼檮涛濤迩邇蝿蠅桧檜侭儘薮藪篭籠"
    "尭堯槙槇遥遙瑶瑤"
)
"""Pairs (common form, other form) that JIS X 0208 exchanged or split in 1983."""
_NAMES = "凜凛亘亙巌巖晃晄穣穰桝枡皐皋"
"""Pairs (form to use, other form) of the same character, both used in names."""
_PAIRS = _EXCHANGED + _NAMES
_NEWER = dict(zip(_PAIRS[1::2], _PAIRS[::2]))


def newest(text: str) -> str:
    """Replaces kanji by their commonest modern form: 髙 by 高, 﨑 by 崎, 邊 and 邉 by 辺."""
    return text if text.isascii() else text.translate(_TABLE)


class _Table(dict[int, str]):
    """A `str.translate` table that computes the form of a character once and caches it."""

    def __missing__(self, code: int) -> str:
        form = self[code] = _settled(chr(code)) if code in _KANJI else chr(code)
        return form


def _settled(character: str) -> str:
    seen = [character]
    while (after := _newer(seen[-1])) not in seen:
        seen.append(after)
    # Two forms may replace each other: the commoner form is used for both.
    return min(seen[seen.index(after) :], key=_rank)


def _newer(character: str) -> str:
    """The replacement of a character; the character itself if no replacement is as common."""
    if character in _APART:
        return character
    if character in _NEWER:
        return _NEWER[character]
    level = _level(character)
    schemes = (_REGISTER,) if level == 1 else (_UNIFIED, _REGISTER, _INFERRED, _RESIDENCE)
    forms = [form for scheme in schemes for form in mj_shrink_candidates(character, scheme)]
    if level > 2:
        forms.append(jnta_shrink_translit(character, character))
    forms = [form for form in forms if len(form) == 1 and form != character]
    best = min(forms, key=_level, default=character)
    return best if _level(best) <= level else character


def _level(character: str) -> int:
    """JIS X 0208 level: 1 for the 2,965 commonest kanji, 2 for the rest, 3 if not in it."""
    try:
        code = character.encode("shift_jis")
    except UnicodeEncodeError:
        return 3
    return 1 if code < b"\x98\x9f" else 2


def _rank(character: str) -> tuple[int, int]:
    return _level(character), ord(character)


_TABLE = _Table()
