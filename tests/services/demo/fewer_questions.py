"""The command line, whose demo asks some of its questions only.

python -m tests.services.demo.fewer_questions stock,balances demo --check-only
"""

from __future__ import annotations

import sys

from services.cli.__main__ import main
from services.demo import run

if __name__ == "__main__":
    names = sys.argv.pop(1).split(",")
    run.QUESTIONS = {name: run.QUESTIONS[name] for name in names}
    main()
