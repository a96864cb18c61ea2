"""Does every page of docs/howto work for somebody who pastes its blocks, from top to bottom?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from infra.stack import Stack
from services.cli.stack import bring_up
from tests.howto.pages import FOLDER, Reader, blocks, expected, terminal
from tests.sdk import nodejs

INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("*.md"))


def own_test(page: Path) -> Path:
    """The module that follows a page which changes the checkout, and so needs a copy of it."""
    return Path(__file__).parent / f"test_{page.stem.replace('-', '_')}.py"


# pages that read or fold whole logs several times: over ten seconds
LONG = {"resolve-duplicates", "verify-and-rebuild"}
FOLLOWED_HERE = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.long] if page.stem in LONG else [])
    for page in PAGES
    if page != INDEX and not own_test(page).exists()
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`hitotsu up`, with the registry: the pages' stack, shared by all of them."""
    own = Stack(tmp_path_factory.mktemp("stack"), provider="auto", registry=True)
    bring_up(own, lambda server, doing, ready: None)
    yield own
    own.stop(purge=True)


@pytest.fixture(scope="module")
def variables(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who did what the index says first."""
    reader = Reader(tmp_path_factory.mktemp("index"), terminal(stack.home.path))
    assert reader.follow(INDEX)
    return reader.environment


@pytest.fixture
def reader(variables: dict[str, str], tmp_path: Path) -> Reader:
    """A reader with these variables, in an empty folder."""
    return Reader(tmp_path, variables)


def _database_beside(address: str) -> str:
    """An empty database on the same server: a page that prepares a stack must not meet ours."""
    name = f"howto_{secrets.token_hex(4)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return f"{address.rpartition('/')[0]}/{name}"


@pytest.mark.servers
@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", FOLLOWED_HERE)
def test_what_the_page_says_works(page: Path, reader: Reader) -> None:
    if page.stem == "run-beyond-one-machine":
        reader.environment["POSTGRES"] = _database_beside(reader.environment["POSTGRES"])
    if page.stem == "use-the-typescript-client":
        nodejs.needed()
        nodejs.copy_to(reader.folder / "sdk" / "typescript")
    assert reader.follow(page), f"{page.name} has nothing that could be followed"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_can_be_followed(page: Path) -> None:
    lost = [block.line for block in blocks(page) if block.kind == "unknown"]
    assert not lost, f"{page.name}: name the file of the blocks at lines {lost}, or make them `sh`"
    fences = sum(line.startswith("```") for line in page.read_text("utf-8").splitlines())
    assert fences == 2 * len(list(blocks(page))), f"{page.name}: a block is not closed or indented"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_index_names_the_page(page: Path) -> None:
    assert page == INDEX or f"({page.name})" in INDEX.read_text("utf-8")


@pytest.mark.parametrize("page", [p for p in PAGES if own_test(p).exists()], ids=lambda p: p.stem)
def test_a_test_of_its_own_reads_the_page(page: Path) -> None:
    assert page.name in own_test(page).read_text("utf-8")


def test_a_page_s_failing_command_fails_its_test(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`a.txt`:\n\n```json\n[1]\n```\n\n```sh\nA=2; cat a.txt\n```\n\n"
                    "```text\n[…]\n```\n\n```sh\necho $A; false\n```\n", "utf-8")  # fmt: skip
    reader = Reader(tmp_path, terminal(tmp_path))
    with pytest.raises(AssertionError, match=r"page\.md:15 ended with 1:\n2"):
        reader.follow(page)
    assert not expected("accepted 1").search("accepted 2")
