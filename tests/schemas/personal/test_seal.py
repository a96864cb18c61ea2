"""A sealed value is read with its subject's key, in its event and field, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.personal import Box, SubjectSealer, Unsealable, Unsealer, blind_index, open_box
from schemas.personal.buffer import public_key_of
from schemas.personal.seal import seal, unseal

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
EVENT, OTHER_EVENT = b"e" * 16, b"f" * 16
SUBJECT, OTHER_SUBJECT = b"s" * 16, b"t" * 16
BLIND = b"b" * 32
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
IDS = st.binary(min_size=16, max_size=16)


@given(
    st.binary(min_size=32, max_size=32),
    IDS,
    IDS,
    st.sampled_from(["name", "identifiers[0].value"]),
    TEXTS,
)
def test_what_is_sealed_is_read_back_and_sealed_again_to_the_same_bytes(
    key: bytes, event: bytes, subject: bytes, field: str, clear: str
) -> None:
    sealed = seal(key, event, field, subject, clear)
    assert unseal(key, event, field, subject, sealed) == clear
    assert seal(key, event, field, subject, clear) == sealed
    assert len(clear.encode()) < 4 or clear.encode() not in sealed


@pytest.mark.parametrize(
    ("key", "event", "field", "subject"),
    [
        (OTHER_KEY, EVENT, "name", SUBJECT),
        (KEY, OTHER_EVENT, "name", SUBJECT),
        (KEY, EVENT, "name_kana", SUBJECT),
        (KEY, EVENT, "name", OTHER_SUBJECT),
    ],
)
def test_a_sealed_value_moved_elsewhere_is_not_read(
    key: bytes, event: bytes, field: str, subject: bytes
) -> None:
    sealed = seal(KEY, EVENT, "name", SUBJECT, "山田 太郎")
    with pytest.raises(Unsealable):
        unseal(key, event, field, subject, sealed)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    sealed = bytearray(seal(KEY, EVENT, "name", SUBJECT, "山田 太郎"))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(Unsealable):
        unseal(KEY, EVENT, "name", SUBJECT, bytes(sealed))


@given(st.binary(max_size=100))
def test_any_bytes_are_either_read_or_refused(sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        unseal(KEY, EVENT, "name", SUBJECT, sealed)


def test_the_same_line_has_the_same_index_and_another_kind_or_key_another() -> None:
    sealer = SubjectSealer({}, BLIND)
    assert sealer.index("phone", "090-1234-5678") == sealer.index("phone", "+81 90 1234 5678")
    assert sealer.index("card", "12345678") != sealer.index("account", "12345678")
    assert blind_index(BLIND, "card", "1") != blind_index(KEY, "card", "1")
    assert len(sealer.index("email", "taro@example.com")) == 16


def test_an_erased_person_can_neither_be_sealed_for_nor_be_read() -> None:
    sealed = SubjectSealer({SUBJECT: KEY}, BLIND).seal(EVENT, SUBJECT, "name", "name", "山田 太郎")
    assert Unsealer({SUBJECT: KEY}).unseal(EVENT, SUBJECT, "name", sealed) == "山田 太郎"
    assert Unsealer({}).unseal(EVENT, SUBJECT, "name", sealed) is None
    with pytest.raises(ValueError, match="the person was erased"):
        SubjectSealer({}, BLIND).seal(EVENT, SUBJECT, "name", "name", "山田 太郎")


@pytest.mark.parametrize(
    ("kind", "clear"), [("name", ""), ("birth_date", "1990-13-01"), ("name", "\ud800")]
)
def test_what_cannot_be_sealed_is_refused_with_a_reason(kind: str, clear: str) -> None:
    with pytest.raises(ValueError, match=r"empty|date|valid text") as refused:
        SubjectSealer({SUBJECT: KEY}, BLIND).seal(EVENT, SUBJECT, "name", kind, clear)
    assert type(refused.value) is ValueError


@given(st.binary(max_size=300))
def test_only_the_gateway_opens_a_box_and_no_two_boxes_are_alike(clear: bytes) -> None:
    box = Box(public_key_of(KEY))
    sealed = box.seal(clear)
    assert open_box(KEY, sealed) == clear
    assert box.seal(clear) != sealed
    with pytest.raises(Unsealable):
        open_box(OTHER_KEY, sealed)


@given(st.binary(max_size=100))
def test_a_broken_box_is_refused(sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        open_box(KEY, sealed)


def test_a_key_of_another_length_is_named() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        Box(b"abc")
