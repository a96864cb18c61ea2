"""Which kana and which Latin letters say the same name?"""

import re
import unicodedata

import jaconv

from schemas.normal.text import folded

_MACRONS = str.maketrans("āīūēōâîûêô", "aiueoaiueo")
_H_AS_LENGTH = re.compile(r"(?<=[aiueo])h(?![aiueoy])")
_RULES = (
    ("sh", "sy"), ("tch", "cch"), ("ch", "ty"), ("ts", "t"), ("j", "zy"), ("dzu", "zu"),
    ("syi", "si"), ("tyi", "ti"), ("zyi", "zi"), ("yy", "y"), ("f", "h"), ("dz", "z"),
    ("mb", "nb"), ("mp", "np"), ("mm", "nm"), ("l", "r"), ("ou", "o"),
)  # fmt: skip
_REPEATED_VOWEL = re.compile(r"([aiueo])\1+")


def reading(text: str) -> str:
    """One key for kana and its usual romanisations: Ohno, Oono, Ono and おおの are `ono`."""
    form = folded(text)
    if not form.isascii():
        kana = str(jaconv.kata2hira(form)).replace("ー", "")
        form = str(jaconv.kana2alphabet(kana))
        form = unicodedata.normalize("NFC", form).translate(_MACRONS)
    form = "".join(letter for letter in form if letter.isalnum())
    form = _H_AS_LENGTH.sub("", form)
    for old, new in _RULES:
        form = form.replace(old, new)
    return _REPEATED_VOWEL.sub(r"\1", form)
