"""Does the projection language say nothing that belongs to the shop?

`projections/core` knows columns, tables, events and queries. What an event or a table means is
declared by the projection that has it, so the language has no word for it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import projections.core
import schemas.generated.events
from projections import discover

CORE = Path(projections.core.__file__).parent
# names that nobody would give to anything but a thing of the shop
_SHOP = """
member members profile profiles person persons customer customers stock sku skus item
point points lot lots reserve reserved reservation reservations promise promises promised
purchase purchases sale sales shop coupon coupons consent inquiry inquiries location
locations warehouse till tills terminal terminals basket price prices proposal
proposals main
"""
SHOP = frozenset(_SHOP.split())
# words of English too: no name may have them, a sentence may
NAMES = frozenset(
    {"hold", "holds", "identifier", "identifiers", "link", "links", "rule", "rules", "roles"}
)
# events, tables and projections, by their whole names
DECLARED = {
    *(name for name in vars(schemas.generated.events) if name[:1].isupper()),
    *(table.name for projection in discover() for table in projection.tables),
    *(projection.name for projection in discover()),
} - NAMES
# from Python 3.12 on the text of an f-string is a token of its own
TEXTS = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT}
TEXTS.add(getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def shop_words(text: str) -> Iterator[str]:
    """The words of the shop in a module: in its names, strings and comments."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in TEXTS:
            continue
        words = {word.lower() for word in _WORD.findall(token.string)}
        forbidden = SHOP | NAMES if token.type == tokenize.NAME else SHOP
        whole = DECLARED & set(re.findall(r"\w+", token.string))
        for word in sorted((words & forbidden) | whole):
            yield f"line {token.start[0]}: {word}"


def sources() -> list[Path]:
    return sorted(path for path in CORE.rglob("*.py*") if path.suffix in (".py", ".pyi"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_the_language_knows_no_word_of_the_shop(path: Path) -> None:
    assert list(shop_words(path.read_text())) == []


@pytest.mark.parametrize(
    "text",
    [
        "def points_held(): ...",
        "class Member: ...",
        'ENDING = {"PointsRedeemed": 1}',
        'kind = "SubjectErased"',
        'group = "main"',
        "reserved = 1",
        "hold_id = 1",
        "# of a customer",
        'sql = f"select * from stock_cell"',
    ],
)
def test_a_planted_word_is_seen(text: str) -> None:
    assert list(shop_words(text + "\n"))


def test_what_is_no_name_of_the_shop_is_not_refused() -> None:
    assert list(shop_words('"""What Redis holds of a row, by its key."""\nheld = 1\n')) == []
