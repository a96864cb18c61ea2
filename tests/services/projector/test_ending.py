"""A projector's exit code says why it ended; only an end that was asked for is 0."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from faust.exceptions import ConsumerNotStarted

from infra.backend import Endpoints
from infra.home import Home
from infra.stack import ROOT
from services.cli import local_services
from services.runtime.exit_codes import Exit, code_of, say
from tests import forks

KEYS = ("HITOTSU_KEY_ENCRYPTION_KEY", "HITOTSU_BLIND_INDEX_KEY", "HITOTSU_GATEWAY_PRIVATE_KEY")
NOWHERE = "127.0.0.1:1"


def environment(servers: Endpoints, folder: Path, **more: str) -> dict[str, str]:
    ours = local_services.environment(Home(folder).open(), servers)
    return {**os.environ, **ours, "PYTHONPATH": str(ROOT), **more}


def run(env: dict[str, str], module: str = "services.projector") -> tuple[int, str]:
    done = forks.run(module, env=env, cwd="/", timeout=60)
    return done.returncode, done.stdout + done.stderr


# That SIGTERM ends it with 0 is told by a whole stack: tests/infra/test_up.py


@pytest.mark.servers
def test_one_that_starts_while_kafka_is_away_says_so(servers: Endpoints, tmp_path: Path) -> None:
    code, said = run(environment(servers, tmp_path, HITOTSU_KAFKA=NOWHERE))
    assert code == Exit.AWAY
    assert "process_exiting" in said and "Kafka" in said


@pytest.mark.servers
def test_one_that_starts_while_postgres_is_away_says_so(servers: Endpoints, tmp_path: Path) -> None:
    dsn = f"postgresql://postgres@{NOWHERE}/hitotsu"
    code, said = run(environment(servers, tmp_path, HITOTSU_POSTGRES=dsn))
    assert code == Exit.AWAY
    assert "Traceback" not in said


@pytest.mark.servers
def test_any_other_end_of_faust_is_an_error_that_the_log_names(
    servers: Endpoints, tmp_path: Path
) -> None:
    """Such as a group that nobody declared: it has no topic to read."""
    code, said = run(environment(servers, tmp_path, HITOTSU_GROUP="undeclared"))
    assert code == Exit.FAILED
    assert said.count("\nTraceback (most recent call last)") == 1  # beside Faust's, in its log
    assert "You should provide either `topics` or `pattern`" in said


@pytest.mark.parametrize(
    "module", ["services.projector", "services.gateway", "services.identity_app"]
)
@pytest.mark.parametrize("variable", KEYS[:1])
def test_a_setting_that_is_wrong_is_named(module: str, variable: str) -> None:
    env = {name: text for name, text in os.environ.items() if not name.startswith("HITOTSU_")}
    env |= dict.fromkeys(KEYS, "eA==") | {"PYTHONPATH": str(ROOT)}
    code, said = run(env, module)
    assert code == Exit.SETTING
    assert f"{variable}: Value error, must be 32 bytes in base64, not 1" in said
    assert "Traceback" not in said


def test_a_cause_below_another_error_decides() -> None:
    def wrapped(cause: Exception) -> Exception:
        try:
            try:
                raise cause
            except Exception as error:
                raise RuntimeError("the consumer could not be started") from error
        except RuntimeError as error:
            return error

    assert code_of(wrapped(KafkaConnectionError("no broker"))) is Exit.AWAY
    assert code_of(KafkaTimeoutError()) is Exit.AWAY
    assert code_of(wrapped(psycopg.OperationalError("gone"))) is Exit.AWAY
    assert code_of(wrapped(ValueError("a record of no kind"))) is Exit.FAILED
    assert code_of(None) is Exit.FAILED


def test_a_bug_beside_an_outage_is_a_failure_with_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def bug() -> None:
        raise TypeError("a bug")

    def hidden() -> None:
        raise ConsumerNotStarted("for another reason") from None

    for handle, kind in ((bug, TypeError), (hidden, ConsumerNotStarted)):
        error = handling(psycopg.OperationalError("gone"), handle)
        assert isinstance(error, kind)
        assert say(error) is Exit.FAILED
        assert capsys.readouterr().err.count(f"{kind.__name__}: ") == 1


def test_only_a_plain_outage_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def by_library() -> None:
        raise ConsumerNotStarted("no broker")

    def by_us() -> None:
        raise RuntimeError("could not be started") from KafkaConnectionError("no broker")

    away = KafkaConnectionError("no broker")
    again = handling(away, by_library)
    again.__cause__ = again  # as Faust's worker raises it
    for error in (away, handling(away, by_library), again):
        assert say(error) is Exit.AWAY
        assert "Traceback" not in capsys.readouterr().err
    assert say(handling(ValueError("first"), by_us)) is Exit.AWAY
    assert capsys.readouterr().err.count("RuntimeError: could not be started") == 1


def handling(first: Exception, handle: Callable[[], None]) -> Exception:
    """What `handle` raises while `first` is handled."""
    try:
        try:
            raise first
        except Exception:
            handle()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")
