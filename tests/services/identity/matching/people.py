"""Some people in their households, each written down once, twice or more, with slips."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import blake2b
from random import Random

from services.identity.matching import Features, Person, features

_FAMILIES = (
    "佐藤 サトウ", "鈴木 スズキ", "高橋 タカハシ", "田中 タナカ", "伊藤 イトウ", "渡辺 ワタナベ",
    "山本 ヤマモト", "中村 ナカムラ", "小林 コバヤシ", "加藤 カトウ", "吉田 ヨシダ", "山田 ヤマダ",
    "佐々木 ササキ", "松本 マツモト", "井上 イノウエ", "木村 キムラ", "清水 シミズ", "林 ハヤシ",
)  # fmt: skip
_GIVEN = (
    "翔太 ショウタ", "健一 ケンイチ", "大輔 ダイスケ", "誠 マコト", "直樹 ナオキ", "美咲 ミサキ",
    "花子 ハナコ", "陽子 ヨウコ", "智子 トモコ", "愛 アイ", "舞 マイ", "恵 メグミ", "明 アキラ",
    "和夫 カズオ", "幸子 サチコ", "由美 ユミ", "蓮 レン", "結衣 ユイ", "悠斗 ユウト", "葵 アオイ",
)  # fmt: skip


def index(kind: str, value: str) -> bytes:
    """What stands for a value here."""
    return blake2b(f"{kind} {value}".encode(), digest_size=16).digest()


def people(households: int, seed: int) -> list[tuple[int, Person]]:
    """(person, profile), in any order."""
    dice = Random(seed)
    found: list[tuple[int, Person]] = []
    for house in range(households):
        family, family_kana = dice.choice(_FAMILIES).split()
        postcode = f"{dice.randrange(1000, 9999)}000"
        address = f"東京都世田谷区 {dice.choice('東西南北上下')}町{dice.randrange(1, 999)}-{house}"
        shared = f"03{dice.randrange(10**8):08}"
        for given in dice.sample(_GIVEN, dice.choice((1, 2, 3))):
            kanji, kana = given.split()
            born = str(date(1940, 1, 1) + timedelta(dice.randrange(25_000)))
            own = f"090{dice.randrange(10**8):08}"
            number = len({person for person, _ in found})
            for _ in range(dice.choice((1, 2, 2, 3))):
                phone = shared if dice.random() < 0.3 else own
                found.append((number, Person(
                    f"{family} {kanji}" if dice.random() < 0.97 else f"{kanji} {family}",
                    f"{family_kana} {kana}" if dice.random() < 0.8 else None,
                    postcode if dice.random() < 0.9 else None,
                    address if dice.random() < 0.9 else None,
                    born if dice.random() < 0.8 else None,
                    (("phone", index("phone", phone)),) if dice.random() < 0.8 else (),
                )))  # fmt: skip
    dice.shuffle(found)
    return found


def as_features(found: list[tuple[int, Person]]) -> list[Features]:
    """Their features, in the same order."""
    return [features(person) for _, person in found]
