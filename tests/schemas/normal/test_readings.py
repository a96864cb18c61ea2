"""Every town of Japan reads the same in kana, in Hepburn and in Kunrei."""

import re

from schemas.normal import kana, reading
from tests.schemas.normal.places import rows

LETTERS = (
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
    "ガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポ"
)
SOUNDS = (
    "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho "
    "ma mi mu me mo ya yu yo ra ri ru re ro wa n ga gi gu ge go za ji zu ze zo da ji zu de do "
    "ba bi bu be bo pa pi pu pe po"
)
HEPBURN = dict(zip(LETTERS, SOUNDS.split(), strict=True))
KUNREI = HEPBURN | {
    "シ": "si", "チ": "ti", "ツ": "tu", "フ": "hu", "ジ": "zi", "ヂ": "zi", "ヅ": "zu",
}  # fmt: skip


def romaji(text: str, table: dict[str, str], *, hepburn: bool) -> str:
    """By the rules of the two systems (内閣告示, 1954, tables 1 and 2), long vowels by letters."""
    out = ""
    for at, letter in enumerate(text):
        if letter in "ャュョ":
            vowel = {"ャ": "a", "ュ": "u", "ョ": "o"}[letter]
            plain = hepburn and out.endswith(("shi", "chi", "ji"))
            out = out[:-1] + ("" if plain else "y") + vowel
        elif letter == "ッ":
            following = table.get(text[at + 1 : at + 2], "")
            out += "t" if hepburn and following.startswith("ch") else following[:1]
        else:
            out += table[letter]
    return re.sub("n(?=[bmp])", "m", out) if hepburn else out


def test_towns_read_the_same_in_kana_and_in_both_romanisations() -> None:
    usual = re.compile(f"[{''.join(HEPBURN)}ャュョッ]+[{''.join(HEPBURN)}ャュョ]")
    towns = {str(row["neighborhood_kana"]) for row in rows("postal_data")}
    towns = {town for town in towns if usual.fullmatch(town) and town[0] not in "ャュョ"}
    assert len(towns) > 40_000
    for town in sorted(towns)[::8]:
        key = reading(town)
        assert key
        assert reading(romaji(town, HEPBURN, hepburn=True)) == key, town
        assert reading(romaji(town, KUNREI, hepburn=False).upper()) == key, town
        assert reading(key) == key
        assert kana(town) is not None
