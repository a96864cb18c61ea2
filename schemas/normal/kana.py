"""Normal form of kana by sound, independent of syllabary, letter size and iteration marks."""

import re
import unicodedata

import jaconv

_HIRAGANA = "".join(map(chr, (*range(0x3041, 0x3097), 0x309D, 0x309E)))
_KATAKANA = str.maketrans({letter: str(jaconv.hira2kata(letter)) for letter in _HIRAGANA})
_AGAIN = re.compile("([ぁ-ゖァ-ヺ㐀-鿿])([ゝゞヽヾ々])")
_NO_MARKS = str.maketrans("", "", "ゝゞヽヾ々")
_VOICED = "\u3099"
_SAME_SOUND = str.maketrans(
    "ァィゥェォッャュョヮヵヶヰヱヲヂヅ", "アイウエオツヤユヨワカケイエオジズ"
)
_FOREIGN = (("ヴァ", "バ"), ("ヴィ", "ビ"), ("ヴェ", "ベ"), ("ヴォ", "ボ"), ("ヴ", "ブ"))
_ROWS = {
    "ア": "アカサタナハマヤラワガザダバパ",
    "イ": "イキシチニヒミリギジビピエケセテネヘメレゲゼデベペ",
    "ウ": "ウクスツヌフムユルグズブプヴオコソトノホモヨロゴゾドボポ",
}
_LONG = tuple((re.compile(f"(?<=[{row}])ー+"), vowel) for vowel, row in _ROWS.items())
_LONG_O = re.compile("(?<=[オコソトノホモヨロゴゾドボポ])オ")


def repeated(text: str) -> str:
    """Expands iteration marks: 佐々木 becomes 佐佐木, いすゞ いすず. Drops a mark at the start."""
    before = None
    while before != text:
        before, text = text, _AGAIN.sub(_again, text)
    return text.translate(_NO_MARKS)


def _again(found: re.Match[str]) -> str:
    letter, mark = found[1], found[2]
    if mark == "々":
        return letter * 2
    plain = unicodedata.normalize("NFD", letter)[0]
    voiced = unicodedata.normalize("NFC", plain + _VOICED)
    # A letter without a voiced form, such as a kanji, is repeated unchanged.
    return letter + (voiced if mark in "ゞヾ" and len(voiced) == 1 else plain)


def katakana(text: str) -> str:
    """Converts hiragana to katakana; leaves other characters unchanged."""
    return text.translate(_KATAKANA)


def sounded(text: str) -> str:
    """Spells kana by sound: small letters become large, ヂ becomes ジ, a long vowel mark its vowel.

    A long オ is written ウ as in コウ, a long エ is written イ as in ケイ: オーノ and オオノ both
    become オウノ; オノ is unchanged.
    """
    form = katakana(text)
    if "ヴ" in form:
        for foreign, native in _FOREIGN:
            form = form.replace(foreign, native)
    form = form.translate(_SAME_SOUND)
    if "ー" in form:
        for long, vowel in _LONG:
            form = long.sub(vowel, form)
        form = form.replace("ー", "")
    return _LONG_O.sub("ウ", form)
