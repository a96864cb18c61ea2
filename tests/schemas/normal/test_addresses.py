"""One address however its line was written: the parts are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.normal import Address, address
from tests.schemas.normal.test_text import ASCII, WIDE

JINGUMAE = Address("東京都", "渋谷区", "神宮前", "1-2-3", "")
KASUMIGASEKI = Address("東京都", "千代田区", "霞ケ関", "1-1-1", "")
SAME = [
    (JINGUMAE, "東京都渋谷区神宮前1-2-3"),
    (JINGUMAE, "東京都　渋谷区　神宮前　１−２−３"),
    (JINGUMAE, "〒150-0001 東京都渋谷区神宮前一丁目二番三号"),
    (JINGUMAE, "渋谷区神宮前１丁目２番地３"),
    (JINGUMAE, "東京渋谷区神宮前1の2の3"),
    (JINGUMAE, "東京都渋谷区神宮前1丁目2番地の3"),
    (JINGUMAE, "東京都渋谷区神宮前一ー二ー三"),
    (JINGUMAE._replace(building="メゾン101"), "東京都渋谷区神宮前1-2-3 ﾒｿﾞﾝ101"),
    (JINGUMAE._replace(building="405"), "東京都渋谷区神宮前1-2-3-405"),
    (JINGUMAE._replace(building="メゾン405"), "東京都渋谷区神宮前1-2-3-405 メゾン"),
    (JINGUMAE._replace(building="森ビル8f"), "東京都渋谷区神宮前1-2-3 森ビル８階"),
    (JINGUMAE._replace(building="三田荘203"), "東京都渋谷区神宮前1-2-3 三田荘 203号室"),
    (JINGUMAE._replace(building="8f"), "東京都渋谷区神宮前1-2-3 ８Ｆ"),
    (JINGUMAE._replace(block="1-2", building="第3ビル"), "渋谷区神宮前1丁目2番第3ビル"),
    (KASUMIGASEKI, "東京都千代田区霞が関1-1-1"),
    (KASUMIGASEKI, "東京都千代田区霞ヶ関1丁目1番1号"),
    (KASUMIGASEKI, "千代田区霞ケ關１－１－１"),
    (Address("東京都", "千代田区", "四番町", "5-3", ""), "千代田区4番町5番地3"),
    (Address("北海道", "札幌市中央区", "北一条西", "5-2-9", ""), "札幌市中央区北1条西5丁目2-9"),
    (Address("北海道", "札幌市中央区", "北一条西", "5-2-9", ""), "札幌市北一条西五丁目2番9号"),
    (Address("東京都", "西多摩郡奥多摩町", "氷川", "215-6", ""), "奥多摩町氷川２１５番地６"),
    (Address("埼玉県", "さいたま市大宮区", "三橋", "中谷1", ""), "さいたま市大宮区大字三橋字中谷1"),
    (Address("石川県", "金沢市", "泉野町", "イ12", ""), "石川県金沢市泉野町イ12番地"),
    (Address("北海道", "帯広市", "稲田町西", "二線11", ""), "帯広市稲田町西2線11番地"),
    (Address("京都府", "京都市中京区", "上本能寺前町", "488", ""),
     "京都市中京区寺町通御池上る上本能寺前町488番地"),
    (Address("京都府", "京都市下京区", "東塩小路町", "579", ""),
     "京都府京都市下京区塩小路通烏丸西入東塩小路町579"),
    (Address("東京都", "府中市", "宮西町", "2-24", ""), "府中市宮西町2-24"),
    (Address("広島県", "府中市", "府川町", "315", ""), "府中市府川町315"),
    (Address("", "どこか町", "", "3-4", ""), "どこか町3-4"),
]  # fmt: skip
BY_POSTCODE = [
    ("神宮前1-2-3", "150-0001", JINGUMAE),
    ("1-2-3", "１５０ー０００１", JINGUMAE),
    ("東京都渋谷区1-2-3", "150-0001", JINGUMAE),
    ("千代田区霞が関1-1-1", "150-0001", KASUMIGASEKI),
    ("神宮前1-2-3", "999-9999", Address("", "", "神宮前", "1-2-3", "")),
    ("神宮前1-2-3", "x", Address("", "", "神宮前", "1-2-3", "")),
]


@pytest.mark.parametrize(("parts", "line"), SAME)
def test_an_address_has_its_parts(parts: Address, line: str) -> None:
    assert address(line) == parts


@pytest.mark.parametrize(("line", "code", "parts"), BY_POSTCODE)
def test_a_postcode_fills_what_the_line_leaves_out(line: str, code: str, parts: Address) -> None:
    assert address(line, code) == parts


@given(st.text(max_size=60), st.none() | st.text(max_size=8))
def test_any_text_is_an_address_or_none(text: str, code: str | None) -> None:
    found = address(text, code)
    assert found is None or any(found)


_PIECES = st.lists(
    st.sampled_from(
        ["東京都", "京都市", "中京区", "上る", "渋谷区", "神宮前", "大字", "字", "一", "十", "百",
         "丁目", "番地", "号", "の", "-", " ", "1", "405", "第", "階", "イ", "甲", "々",
         "〒150-0001"]
    ),
    max_size=12,
)  # fmt: skip


@given(_PIECES)
def test_any_heap_of_pieces_is_an_address_or_none(pieces: list[str]) -> None:
    line = "".join(pieces)
    found = address(line)
    assert found is None or any(found)
    assert address(line.translate({code: wide for wide, code in WIDE.items()})) == found


@given(ASCII)
def test_width_and_case_do_not_matter(text: str) -> None:
    assert address(text.translate(WIDE)) == address(text.upper()) == address(text)
