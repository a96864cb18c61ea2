"""Writes the generated files from the .avsc files, or checks that they are up to date.

python -m schemas.tools.generate [--check]
"""

import sys
from pathlib import Path

from schemas import declarations
from schemas.history import releases
from schemas.tools import lint
from schemas.tools.generation import asyncapi, conversions, events, examples, inputs, records

FOLDERS = tuple(
    f"generated/{name}" for name in ("events", "records", "inputs", "conversions", "examples")
)


def wanted(home: Path = declarations.HOME) -> dict[str, str]:
    """The expected content of all generated files, by path below schemas/."""
    described = declarations.describe(home)
    files = {
        **events.files(described),
        **records.files(described),
        **inputs.files(described),
        **conversions.files(described),
        **examples.files(described),
        **asyncapi.files(described, releases.Releases(home)),
    }
    return {f"generated/{path}": text for path, text in files.items()}


def stale(home: Path = declarations.HOME) -> list[str]:
    """Paths of generated files that are missing or differ, or are not generated any more."""
    files = wanted(home)
    differing = [path for path, text in files.items() if _text(home / path) != text]
    return sorted([*differing, *_leftovers(home, files)])


def write(home: Path = declarations.HOME) -> list[str]:
    """Writes generated files that are out of date, deletes surplus ones; returns their paths."""
    files = wanted(home)
    changed = stale(home)
    for path in changed:
        target = home / path
        if path in files:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(files[path], encoding="utf-8")
        else:
            target.unlink()
    return changed


def problems(home: Path = declarations.HOME) -> list[str]:
    """Errors in the .avsc files, changed released files, and changes that need a release."""
    found = lint.check(home)
    found += [
        f"{item.file} was changed or removed after its release" for item in releases.tampered(home)
    ]
    return [*found, *_unreleased(home)]


def _unreleased(home: Path = declarations.HOME) -> list[str]:
    return [
        f"{event} differs from its newest release: run `hitotsu schema release`"
        for event in releases.unreleased(home)
    ]


def main(arguments: list[str]) -> int:
    """Writes the files, or only compares them with --check; errors go to stderr, exit status 1.

    An unreleased change is always reported, but is an error only with --check: without it, the
    release is still to come.
    """
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m schemas.tools.generate [--check]\n")
        return 2
    try:
        found = problems()
        if arguments:
            found += [
                f"schemas/{path} is stale: run `python -m schemas.tools.generate`"
                for path in stale()
            ]
        else:
            for path in write():
                sys.stdout.write(f"wrote schemas/{path}\n")
    except declarations.BadSchema as error:
        found = [str(error)]
    for line in found:
        sys.stderr.write(line + "\n")
    ahead = [] if arguments else _unreleased()
    return 1 if set(found) - set(ahead) else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _leftovers(home: Path, files: dict[str, str]) -> list[str]:
    there = [path for folder in FOLDERS for path in (home / folder).glob("*.*")]
    return [name for path in there if (name := path.relative_to(home).as_posix()) not in files]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
