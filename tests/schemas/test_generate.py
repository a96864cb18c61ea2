"""What is generated follows the .avsc files, and what was released never changes."""

import json
from pathlib import Path

import pytest

from schemas.declarations import BadSchema, describe
from schemas.history import releases
from schemas.history.releases import Releases
from schemas.tools import compatibility, generate, golden_bytes
from tests.schemas.homes import add_field, copy

NOTE = {
    "name": "note", "type": ["null", "string"], "default": None, "is": "code", "doc": "A remark.",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return copy(tmp_path)


def test_the_repository_is_up_to_date() -> None:
    assert generate.problems() == []
    assert generate.stale() == []
    assert compatibility.check() == []
    assert golden_bytes.missing() == []
    assert generate.main(["--check"]) == 0


def test_a_file_edited_by_hand_is_stale_and_is_written_again(home: Path) -> None:
    classes = home / "generated" / "events" / "points.py"
    classes.write_text(classes.read_text(encoding="utf-8") + "\n# mine\n", encoding="utf-8")
    (home / "generated" / "records" / "left_over.py").write_text("", encoding="utf-8")
    assert generate.stale(home) == ["generated/events/points.py", "generated/records/left_over.py"]
    assert generate.write(home) == ["generated/events/points.py", "generated/records/left_over.py"]
    assert generate.stale(home) == []
    assert not (home / "generated" / "records" / "left_over.py").exists()


def test_a_changed_schema_needs_a_release_and_its_classes_follow(home: Path) -> None:
    add_field(home, "stock_received.avsc", NOTE)
    assert generate.problems(home) == [
        "StockReceived differs from its newest release: run `hitotsu schema release`"
    ]
    stale = generate.stale(home)
    assert "generated/events/inventory.py" in stale
    assert "generated/inputs/inventory.py" in stale
    generate.write(home)
    assert "note: str | None = None" in (home / "generated/events/inventory.py").read_text(
        encoding="utf-8"
    )


def test_a_release_appends_and_touches_nothing_that_was_released(home: Path) -> None:
    before = {item.id: item for item in Releases(home)}
    texts = {item.id: Releases(home).text(item) for item in before.values()}
    add_field(home, "stock_received.avsc", NOTE)
    (made,) = releases.release(home)
    after = Releases(home)
    newest = max(item.version for item in before.values() if item.record == "StockReceived")
    assert (made.id, made.version) == (max(before) + 1, newest + 1)
    assert made.subject == "commerce.inventory-hitotsu.StockReceived"
    assert {key: after.by_id[key] for key in before} == before
    assert {key: after.text(after.by_id[key]) for key in before} == texts
    assert releases.release(home) == []
    assert generate.problems(home) == []


def test_a_changed_part_releases_every_event_that_holds_it(home: Path) -> None:
    add_field(home, "types/tender.avsc", NOTE)
    assert {item.record for item in releases.release(home)} == {
        "PurchaseCompleted",
        "TerminalDayClosed",
    }
    add_field(home, "types/meta.avsc", NOTE)
    assert len(releases.release(home)) == len(describe(home).events)


def test_prose_needs_no_release(home: Path) -> None:
    path = home / "contracts" / "inventory" / "stock_received.avsc"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["doc"] = "Units came in."
    path.write_text(json.dumps(schema), encoding="utf-8")
    assert generate.problems(home) == []


def test_a_released_file_that_was_edited_is_noticed(home: Path) -> None:
    add_field(home, "released/StockReceived.v1.avsc", NOTE)
    assert generate.problems(home) == [
        "released/StockReceived.v1.avsc was changed or removed after its release"
    ]


@pytest.mark.parametrize(
    ("field", "complaint"),
    [
        ({"name": "x", "type": "hitotsu.Nothing", "doc": "x"}, "unknown type hitotsu.Nothing"),
        ({"name": "x", "type": ["int", "string"], "doc": "x"}, "a union must be null and one type"),
        ({"name": "x", "type": {"type": "map", "values": "int"}, "doc": "x"}, "only an array type"),
    ],
)
def test_what_cannot_be_generated_is_said(
    home: Path, field: dict[str, object], complaint: str
) -> None:
    add_field(home, "stock_received.avsc", field)
    with pytest.raises(BadSchema, match=f"StockReceived.x: {complaint}"):
        generate.wanted(home)


def test_an_argument_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--fix"]) == 2
    assert "usage" in capsys.readouterr().err
