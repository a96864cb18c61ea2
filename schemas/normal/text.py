"""Unicode normalisation: makes equal characters that different keyboards or tills write."""

import re
import unicodedata

HYPHENS = re.compile(
    "[-\u00ad\u02d7\u2010-\u2015\u2043\u2212\u23af\u23e4\u2500\u2501"
    "\u30fc\u301c~\uff0d\uff5e\uff70]"
)
"""Characters used as a hyphen between digits, including the long vowel mark and the wave dash."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3099\u309a\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Invisible characters: controls, lone surrogates, joiners, variation selectors."""
_STROKES = re.compile("[\u02d7\u2010-\u2015\u2043\u2212\u23af\u23e4\u2500\u2501]")
_DASH_IN_KANA = re.compile("(?<=[ぁ-ゖァ-ヺー])-(?=[ぁ-ゖァ-ヺ]|$)")
_BAR_AFTER_DIGIT = re.compile("(?<=[0-9a-z])[ー〜~](?=[0-9a-z])")
_VOICING = str.maketrans("゛゜", "\u3099\u309a")
"""Standalone voicing marks are combined with the kana before them."""
_PLAIN = re.compile("[ -}]*")
_USUAL = re.compile("[ -~　、。々〇ぁ-ゖゝゞァ-ヺーヽヾ一-鿿！-～ｦ-ﾝ]*")


def composed(text: str) -> str:
    """The text in NFKC, stripped: full-width letters become ASCII, half-width kana full-width."""
    return unicodedata.normalize("NFKC", text).strip()


def spaced(text: str) -> str:
    """As `composed`; a run of spaces, ideographic ones too, becomes a single ASCII space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def folded(text: str) -> str:
    """The text in NFKC and lower case, with ASCII spaces and hyphens instead of others.

    Removes invisible characters (controls, joiners, variation selectors). A dash after kana becomes
    a long vowel mark; a long vowel mark between digits becomes a hyphen.
    """
    if _PLAIN.fullmatch(text):
        return " ".join(text.lower().split())
    if _USUAL.fullmatch(text):
        return _once(text)
    once = _once(text.translate(_VOICING))
    # Lower-casing a rare letter may need NFKC again; a few rounds reach a fixed point.
    for _ in range(4):
        again = _once(once)
        if again == once:
            break
        once = again
    return once


def _once(text: str) -> str:
    form = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", text)))
    form = unicodedata.normalize("NFKC", _UNSEEN.sub("", form.casefold()))
    form = _STROKES.sub("-", form)
    form = _DASH_IN_KANA.sub("ー", _BAR_AFTER_DIGIT.sub("-", form))
    return " ".join(form.split())
