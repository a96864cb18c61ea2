"""Compiles the C extensions at installation; without them, Python code does the same work.

Every `_NAME.c` becomes the module `_NAME` beside it; a wheel that is not editable contains the
modules. If one cannot be compiled, this is reported and none is used: all is slower, and otherwise
the same.

    python -m infra.c_extensions       compiles in this checkout
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGES = ("schemas", "projections", "services")
FLAGS = ("-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")


class Compiling(BuildHookInterface):  # type: ignore[type-arg]  # hatchling's own says no more
    """Hatch build hook that compiles before the files of a wheel are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles the modules for a wheel; adds them to it unless it is editable."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        made = compile_all(root)
        if made and version != "editable":
            build_data["pure_python"], build_data["infer_tag"] = False, True
            build_data["force_include"].update(
                {str(one): one.relative_to(root).as_posix() for one in made}
            )


def compile_all(root: Path) -> list[Path]:
    """Compiles all extensions; returns their paths.

    If one cannot be compiled, removes all of them, also earlier ones, and returns [].
    """
    compiler, headers = _compiler(), Path(sysconfig.get_path("include"))
    suffix = str(sysconfig.get_config_var("EXT_SUFFIX"))
    sources = sorted(one for name in PACKAGES for one in (root / name).rglob("_*.c"))
    targets = [source.with_suffix(suffix) for source in sources]
    if compiler is None or not (headers / "Python.h").is_file():
        lacking = "no C compiler" if compiler is None else "no Python.h"
        _say(f"{lacking}: Python code replaces the C extensions, at half the speed")
    elif all(_compiled(compiler, headers, *pair) for pair in zip(sources, targets, strict=True)):
        return targets
    for target in targets:
        target.unlink(missing_ok=True)
    return []


def _compiled(compiler: list[str], headers: Path, source: Path, target: Path) -> bool:
    # replaced by rename, so that running processes keep the old file
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    command = [*compiler, *FLAGS, f"-I{headers}", str(source), "-o", str(fresh)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        fresh.replace(target)
        return True
    fresh.unlink(missing_ok=True)
    _say(f"{source.name} not compiled: Python replaces all extensions\n{done.stderr[-2000:]}")
    return False


def _compiler() -> list[str] | None:
    for command in (os.environ.get("CC"), "cc", "gcc", "clang"):
        words = shlex.split(command or "")
        if words and shutil.which(words[0]):
            return words
    return None


def _say(text: str) -> None:
    sys.stderr.write(f"── {text}\n")


if __name__ == "__main__":
    sys.exit(0 if compile_all(Path(__file__).resolve().parents[1]) else 1)
