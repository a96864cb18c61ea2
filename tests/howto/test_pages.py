"""Does every page of docs/howto work for somebody who pastes its blocks, from top to bottom?

Pages that change the checkout are followed in one copy of it, and the stack is that of the copy:
one start shows all of them, and serves the other pages too.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path

import psycopg
import pytest

from infra.backend import Endpoints
from tests.conftest import SERVERS_VARIABLE
from tests.howto.checkout import GENERATED, Checkout, changing
from tests.howto.pages import (
    FOLDER,
    ROOT,
    START,
    Block,
    Reader,
    blocks,
    changed,
    expected,
    halves,
    terminal,
)
from tests.sdk import nodejs

INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("*.md"))

# the most files that a reader of the page writes or changes by hand, tests not counted
BY_HAND = {
    "add-a-cli-verb": 1,
    "add-a-command": 3,
    "add-a-held-thing": 4,
    "add-a-metric": 3,
    "add-a-migration": 1,
    "add-a-projection": 2,
    "add-a-route": 2,
    "add-a-web-process": 3,
    "add-an-event": 1,
    "evolve-a-schema": 1,
}


# of pages that read or fold the whole log several times the commands that the gate runs
SHORT = {
    "verify-and-rebuild": (
        "hitotsu verify --json",
        "hitotsu rebuild point_balance --check",
        "hitotsu rebuild --rejudge --check",
    ),
}


def own_test(page: Path) -> Path:
    """The module that follows a page which needs more than this one has."""
    return Path(__file__).parent / f"test_{page.stem.replace('-', '_')}.py"


CHANGING = [page for page in changing() if not own_test(page).exists()]
# rules that give points refuse those that other pages' producers give
LAST = ("let-rules-give-points",)
ON_THE_STACK = sorted(
    (page for page in PAGES if page != INDEX and not own_test(page).exists()),
    key=lambda page: page.stem in LAST,
)


def _named(pages: list[Path], long: Collection[str] = ()) -> list[object]:
    return [
        pytest.param(page, id=page.stem, marks=[pytest.mark.long] if page.stem in long else [])
        for page in pages
        if not own_test(page).exists()
    ]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, servers: Endpoints) -> Checkout:
    """A copy of the checkout, and a stack's home beside it; its tests use the servers of these."""
    folder = tmp_path_factory.mktemp("checkout")
    copy = Checkout(folder / "hitotsu", folder / "stack")
    copy.environment[SERVERS_VARIABLE] = json.dumps(asdict(servers))
    return copy


@pytest.fixture(scope="module")
def stack(checkout: Checkout) -> Iterator[Checkout]:
    """The copy after all pages that change it, and its stack, started as they say."""
    for page in CHANGING:
        checkout.followed(page)
    try:
        checkout.start()
        yield checkout
    finally:
        checkout.run("-m", "services.cli", "down", "--purge")


@pytest.fixture(scope="module")
def variables(stack: Checkout, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of somebody who did what the index says first."""
    reader = Reader(tmp_path_factory.mktemp("index"), stack.environment)
    assert reader.follow(blocks(INDEX))
    return reader.environment


def _database_beside(address: str) -> str:
    """An empty database on the same server: a page that prepares a stack must not meet ours."""
    name = f"howto_{secrets.token_hex(4)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return f"{address.rpartition('/')[0]}/{name}"


@pytest.mark.servers
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", _named(CHANGING))
def test_what_the_page_changes_is_all_that_is_needed(page: Path, checkout: Checkout) -> None:
    change = checkout.followed(page)
    assert len(change.by_hand) <= BY_HAND[page.stem], change.by_hand
    beside = [name for name in change.generated if not name.startswith(GENERATED)]
    assert not beside, f"{page.name} does not name what its commands wrote: {beside}"


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_the_rules_of_the_checkout_hold_with_all_changes(checkout: Checkout) -> None:
    for page in CHANGING:
        checkout.followed(page)
    checkout.generate()
    written = sorted({name for page in CHANGING for name in checkout.written(page)})
    modules = [name for name in written if name.endswith(".py")]
    checkout.run("-m", "ruff", "check", *modules)
    checkout.run("-m", "ruff", "format", "--check", *modules)
    checkout.types([name for name in modules if not name.startswith("tests/")])
    checkout.layers()
    checkout.run("-m", "schemas.tools.generate", "--check")
    checkout.run("-m", "services.cli.reference", "--check")
    checkout.run("-m", "services.cli.deployment", "--check")
    checkout.run("-m", "pytest", "-q", "tests/test_house.py")


@pytest.mark.servers
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", _named(ON_THE_STACK, long=SHORT))
def test_what_the_page_says_works(
    page: Path, stack: Checkout, variables: dict[str, str], tmp_path: Path
) -> None:
    first, second = halves(page)
    instructions = second if page in CHANGING else first
    reader = Reader(tmp_path, variables)
    if page.stem == "run-beyond-one-machine":
        reader.environment["POSTGRES"] = _database_beside(reader.environment["POSTGRES"])
    if page.stem == "use-the-typescript-client":
        nodejs.needed()
        nodejs.copy_to(reader.folder / "sdk" / "typescript")
    followed = reader.follow(instructions)
    assert followed or page in CHANGING, f"{page.name} has nothing that could be followed"


RUNBOOKS = [
    page
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md"))
    if any(block.kind == "sh" for block in blocks(page))
]


@pytest.mark.servers
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_the_commands_of_a_runbook_work(
    page: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    assert any(block.kind == "output" for block in blocks(page)), f"{page.name} expects nothing"
    assert Reader(tmp_path, variables).follow(blocks(page))


@pytest.mark.servers
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHORT)
def test_the_short_form_of_a_long_page_works(
    name: str, variables: dict[str, str], tmp_path: Path
) -> None:
    lines = [
        line.partition("#")[0].strip()
        for block in blocks(FOLDER / f"{name}.md")
        if block.kind == "sh"
        for line in block.text.splitlines()
    ]
    reader = Reader(tmp_path, variables)
    for command in SHORT[name]:
        assert command in lines, f"{name}.md has no line {command!r}"
        reader.follow([Block(page=name, line=0, language="sh", text=command, file=None)])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_can_be_followed(page: Path) -> None:
    found = blocks(page)
    lost = [block.line for block in found if block.kind == "unknown"]
    assert not lost, f"{page.name}: name the file of the blocks at lines {lost}, or make them `sh`"
    fences = sum(line.lstrip().startswith("```") for line in page.read_text("utf-8").splitlines())
    assert fences == 2 * len(found), f"{page.name}: a block is not closed or not indented evenly"


@pytest.mark.parametrize("page", ON_THE_STACK, ids=lambda page: page.stem)
def test_the_page_says_what_is_printed(page: Path) -> None:
    """Commands alone show that nothing failed, and not that anything came of it."""
    assert any(block.kind == "output" for block in blocks(page)), f"{page.name} expects nothing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_failure_is_hidden_and_no_time_is_waited(page: Path) -> None:
    text = "".join(block.text for block in blocks(page) if block.kind in ("sh", "python"))
    assert "|| " not in text.replace("&& ", ""), f"{page.name}: a failing command goes on"
    assert "sleep" not in text, f"{page.name}: wait for what is meant, not for a time"


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
    reader = Reader(tmp_path, terminal(ROOT, tmp_path))
    with pytest.raises(AssertionError, match=r"page\.md:15 ended with 1:\n2"):
        reader.follow(blocks(page))
    assert not expected("accepted 1").search("accepted 2")


def test_a_change_is_made_where_its_lines_stand_and_nowhere_else() -> None:
    text = "one\ntwo\nthree\n"
    assert changed(text, " one\n-two\n+2\n") == "one\n2\nthree\n"
    for change in (" four\n+5\n", "+0\n"):
        with pytest.raises(ValueError, match="places for"):
            changed(text, change)


def test_a_page_is_followed_on_the_stack_from_where_it_is_started(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = f"1. Write\n\n   ```sh\n   a\n   ```\n\n```sh\n{START}```\n\n```sh\nb\n```\n"
    page.write_text(text, "utf-8")
    first, second = halves(page)
    assert [block.text for block in first] == ["a\n"]
    assert [block.text for block in second] == ["b\n"]
