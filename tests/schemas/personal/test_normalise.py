"""Different ways of writing one value meet; different values do not; no reason shows a value."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.personal.identifier_index import blind_index
from schemas.personal.normalise import NORMALISERS, normalise

KINDS = [*NORMALISERS, "account", "device", "sns"]

SAME_PHONE = [
    ("090-1234-5678", "+819012345678"),
    ("０９０−１２３４−５６７８", "+819012345678"),
    ("090ー1234ー5678", "+819012345678"),
    ("(090) 1234 5678", "+819012345678"),
    ("+81 90 1234 5678", "+819012345678"),
    ("+81(0)90-1234-5678", "+819012345678"),
    ("0081 90-1234-5678", "+819012345678"),
    ("00 81 90 1234 5678", "+819012345678"),
    ("０１０８１９０１２３４５６７８", "+819012345678"),
    ("03‐1234‐5678", "+81312345678"),
    ("0120―444―444", "+81120444444"),
    ("060-1234-5678", "+816012345678"),
    ("+1 (650) 253-0000", "+16502530000"),
    ("010-1-650-253-0000", "+16502530000"),
    ("+39 06 698 12345", "+390669812345"),
    ("03-1234-5678 内線 12", "+81312345678;ext=12"),
    ("03-1234-5678 ext.12", "+81312345678;ext=12"),
]
NOT_A_PHONE = [
    "",
    "　",
    "090",
    "090-1234-567",
    "090-1234-56789",
    "自宅",
    "110",
    "a090-1234-5678",
    "+",
    "0000000000",
]

SAME_MAIL = [
    ("Taro.Yamada+sale@Gmail.com", "taroyamada@gmail.com"),
    ("taroyamada@googlemail.com", "taroyamada@gmail.com"),
    ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "taro@example.com"),
    (" TARO@EXAMPLE.COM ", "taro@example.com"),
    ("taro.y@example.com", "taro.y@example.com"),
    ("taro+x@example.com", "taro+x@example.com"),
    ("taro..y.@docomo.ne.jp", "taro..y.@docomo.ne.jp"),
    ("taro@例え.jp", "taro@xn--r8jz45g.jp"),
    ("taro+news@me.com", "taro@icloud.com"),
]
NOT_A_MAIL = [
    "taro",
    "@example.com",
    "taro@",
    "taro..y@example.com",
    "ta ro@example.com",
    "a@b@c",
    "taro@exa_mple.com",
]

SAME_POSTCODE = [
    ("〒150-0001", "1500001"),
    ("１５０−０００１", "1500001"),
    ("150ー0001", "1500001"),
    ("1500001", "1500001"),
    ("sw1a 1aa", "SW1A1AA"),
    ("31904", "31904"),
]

SAME_NAME = [
    ("name", "山田　太郎", "山田 太郎"),
    ("name", "  Javier   Lewis ", "Javier Lewis"),
    ("kana", "ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダ タロウ"),
    ("kana", "やまだ　たろう", "ヤマダ タロウ"),
    ("card", "1234-5678 9012", "123456789012"),
    ("card", "ａｂ１２", "AB12"),
    ("account", " taro-01 ", "TARO-01"),
    ("birth_date", "1990-04-01", "1990-04-01"),
]


@pytest.mark.parametrize(("written", "line"), SAME_PHONE)
def test_a_phone_number_is_one_line_however_it_is_written(written: str, line: str) -> None:
    assert normalise("phone", written) == line
    assert normalise("phone", line) == line


@pytest.mark.parametrize("written", NOT_A_PHONE)
def test_what_rings_nowhere_is_no_phone_number(written: str) -> None:
    with pytest.raises(ValueError, match=r"telephone|empty"):
        normalise("phone", written)


@pytest.mark.parametrize(("written", "mailbox"), SAME_MAIL)
def test_an_address_is_one_mailbox_however_it_is_written(written: str, mailbox: str) -> None:
    assert normalise("email", written) == mailbox


@pytest.mark.parametrize("written", NOT_A_MAIL)
def test_what_reaches_no_mailbox_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not an e-mail address"):
        normalise("email", written)


@pytest.mark.parametrize(("written", "code"), SAME_POSTCODE)
def test_a_postcode_is_its_digits(written: str, code: str) -> None:
    assert normalise("postcode", written) == code


@pytest.mark.parametrize("written", ["〒", "1", "東京都渋谷区", "150-0001-0001"])
def test_what_is_no_postcode_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a postcode"):
        normalise("postcode", written)


@pytest.mark.parametrize(("kind", "written", "form"), SAME_NAME)
def test_width_space_and_script_do_not_matter(kind: str, written: str, form: str) -> None:
    assert normalise(kind, written) == form


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b", "a\x1bb"])
@pytest.mark.parametrize("kind", KINDS)
def test_control_characters_are_refused_at_the_door(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        normalise(kind, text)


@given(kind=st.sampled_from(KINDS), text=st.text(max_size=40))
@example(kind="card", text="O\u00af")
def test_a_normal_form_is_its_own_normal_form_and_a_reason_shows_no_value(
    kind: str, text: str
) -> None:
    try:
        once = normalise(kind, text)
    except ValueError as refused:
        assert type(refused) is ValueError
        assert refused.__cause__ is None
        assert len(text.strip()) < 4 or text.strip() not in str(refused)
    else:
        assert normalise(kind, once) == once


@given(st.from_regex(r"0[789]0[0-9]{8}", fullmatch=True), st.sampled_from("-‐‑–—―−ー－ "))
def test_a_mobile_number_survives_every_hyphen_and_full_width(digits: str, hyphen: str) -> None:
    wide = digits.translate({ord("0") + n: chr(ord("０") + n) for n in range(10)})
    split = hyphen.join((digits[:3], digits[3:7], digits[7:]))
    assert {normalise("phone", form) for form in (digits, wide, split)} == {"+81" + digits[1:]}


INDEXES = [
    ("email", "Taro.Yamada+sale@Gmail.com", "93b06bfbdf6026bdb54372d1766fb166"),
    ("email", "taro..y.@docomo.ne.jp", "2d492cce3f0b57193dfdec6982bf2193"),
    ("phone", "０９０−１２３４−５６７８", "8525aefb67514d4acb90f60faad95388"),
    ("phone", "03-1234-5678 内線 12", "d9f331f820b1543c5db4383468402ac3"),
    ("postcode", "〒150-0001", "44be3754d2ec0f8a07b195d88362c627"),
    ("card", "1234-5678 9012", "4275e24f0c3f0f7a23b642bdf4714aad"),
    ("account", " taro-01 ", "3bac6f4c01b0f199f3626785ffe12626"),
    ("name", "髙橋　太郎", "99b6d6cf03b33e84892d9df38adca85d"),
    ("kana", "ﾀｶﾊｼ ﾀﾛｳ", "bb95bd929d86165fb5630318026c76d5"),
]
"""As they are in logs that were written with `NORMALISER_VERSION` 1."""


@pytest.mark.parametrize(("kind", "written", "index"), INDEXES)
def test_what_is_in_the_log_is_found_again(kind: str, written: str, index: str) -> None:
    assert blind_index(b"k" * 32, kind, normalise(kind, written)).hex() == index
