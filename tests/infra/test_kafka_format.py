"""Is the log folder formatted once for all brokers of a cache, and does none lose what it had?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.home import Home
from infra.native import jars, kafka
from infra.native.kafka import META, Kafka
from infra.stack import ROOT

SHARED = Home().cache


@pytest.fixture
def formatted(tmp_path: Path) -> Path:
    """A cache with a formatted folder, which nothing has to be started for."""
    made = kafka._formatted_in(tmp_path)
    made.mkdir(parents=True)
    (made / META).write_text("version=1\n", "utf-8")
    metadata = made / "__cluster_metadata-0"
    metadata.mkdir()
    (metadata / "0.checkpoint").write_bytes(b"metadata version")
    return made


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _format(home: Path, cache: Path) -> Path:
    own = Home(home)
    own.cache = cache
    own.open()
    broker = Kafka(own)
    broker.folder.mkdir(exist_ok=True)
    broker._format(["false"], lambda doing: pytest.fail(f"{doing}: it was formatted before"))
    return broker.folder / "data"


def test_a_formatted_folder_is_a_copy_and_starts_no_java(formatted: Path, tmp_path: Path) -> None:
    data = _format(tmp_path / "home", formatted.parent)
    assert _files(data) == _files(formatted)


def test_records_in_a_folder_that_lost_its_mark_stay(formatted: Path, tmp_path: Path) -> None:
    data = tmp_path / "home" / "kafka" / "data"
    held = {"commerce.points-0/0.log": b"records", "__cluster_metadata-0/0.checkpoint": b"newer"}
    for name, content in held.items():
        (data / name).parent.mkdir(parents=True)
        (data / name).write_bytes(content)
    assert _format(tmp_path / "home", formatted.parent) == data
    assert _files(data) == held | {META: b"version=1\n"}


def test_an_interrupted_copy_begins_again(
    formatted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(kafka.shutil, "copyfile", full)
        _format(tmp_path / "home", formatted.parent)
    assert not (tmp_path / "home" / "kafka" / "data" / META).exists()
    data = _format(tmp_path / "home", formatted.parent)
    assert _files(formatted).items() <= _files(data).items()


def test_another_release_or_another_setting_is_formatted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {kafka._formatted_in(tmp_path)}
    with monkeypatch.context() as patch:
        patch.setattr(jars, "KAFKA_VERSION", "9.9.9")
        paths.add(kafka._formatted_in(tmp_path))
    monkeypatch.setattr(kafka, "SETTINGS", kafka.SETTINGS + "num.io.threads=2\n")
    paths.add(kafka._formatted_in(tmp_path))
    assert len(paths) == 3


@pytest.mark.servers
def test_two_first_starts_at_once_format_one_folder_and_both_come_up(tmp_path: Path) -> None:
    jars.classpath(SHARED, lambda doing: None)
    for name in ("maven", "kafka.verified"):
        (tmp_path / name).symlink_to(SHARED / name)
    program = (
        "import sys; from pathlib import Path; from infra.home import Home;"
        "from infra.native.kafka import Kafka; home = Home(sys.argv[1]);"
        "home.cache = Path(sys.argv[2]); home.open(); kafka = Kafka(home);"
        "kafka.start(lambda doing: None); kafka.stop()"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / name), str(tmp_path)], cwd=ROOT
        )
        for name in ("first", "second")
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    (made,) = tmp_path.glob("kafka-formatted-*")
    for name in ("first", "second"):
        mark = (tmp_path / name / "kafka" / "data" / META).read_bytes()
        assert mark == (made / META).read_bytes()
    assert not list(tmp_path.glob(".kafka-formatting-*"))
