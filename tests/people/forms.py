"""Which kanji have an old form, and which are taken for another?"""

from __future__ import annotations

_PAIRS = (
    "高髙 辺邊 斎齋 斉齊 崎﨑 沢澤 浜濱 広廣 桜櫻 島嶋 国國 恵惠 真眞 竜龍 吉𠮷 富冨 "
    "槙槇 柳栁 徳德 栄榮 実實 寿壽 礼禮 滝瀧 黒黑 万萬 亀龜 条條 学學 桑桒 弥彌 与與 "
    "関關"
)
_OTHER = {"辺": "邉", "島": "嶌", "崎": "碕"}
_USUAL = {pair[0]: pair[1] for pair in _PAIRS.split()}
OLD: tuple[dict[int, str], ...] = (
    {},
    {ord(new): old for new, old in _USUAL.items()},
    {ord(new): old for new, old in (_USUAL | _OTHER).items()},
)
"""By the number that a person has: none, the first old form, or the other where there are two."""

_LOOK_ALIKE = (
    "太大 未末 土士 田由 千干 木本 目日 白自 己巳 人入 力刀 夕タ 崎埼 原厚 博傅 浩活 "
    "健建 幸辛 裕祐 佳住 佐左 藤籐 斉斎 村材 林杯 松枌 石右 真貞 美羊 子予 和利 純鈍 "
    "陽場 輝揮 清晴 正止 明朋 朗郎 翔翻 恵息 香杳 理埋 智知 里黒 加如 奈余 菜莱 遠達 "
    "池地 坂板 山凸 井丼 川州 上土 口ロ 中申 小水 野里 橋僑 島鳥 沢択 谷容 町叮 通週 "
    "宮官 北比 南両 東束 西酉 丘兵 台合 桜楼 緑縁 新親 若苦 栄宋 園圍 平乎 高亮 代伐 "
    "荒流"
)
LOOK_ALIKE: dict[str, str] = {}
for _one, _two in _LOOK_ALIKE.split():
    LOOK_ALIKE.setdefault(_one, _two)
    LOOK_ALIKE.setdefault(_two, _one)


def has_old_form(kanji: str) -> bool:
    return any(sign in _USUAL for sign in kanji)


def misread(kanji: str) -> str | None:
    """The first sign that looks like another is taken for it; None where none does."""
    for at, sign in enumerate(kanji):
        if sign in LOOK_ALIKE:
            return kanji[:at] + LOOK_ALIKE[sign] + kanji[at + 1 :]
    return None
