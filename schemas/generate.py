"""Are the generated files what the .avsc files say? `python -m schemas.generate [--check]`."""

import sys
from pathlib import Path

from schemas.generation import description, events, records


def wanted(home: Path = description.HOME) -> dict[str, str]:
    """Every generated file, by path below schemas/, as it should be."""
    described = description.describe(home)
    return {**events.files(described), **records.files(described)}


def main() -> int:
    for path, text in wanted().items():
        p = description.HOME / path
        p.parent.mkdir(exist_ok=True)
        p.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
