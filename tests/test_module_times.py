"""Does a run say which modules were slow, and keep how long all of them took?"""

from __future__ import annotations

import json

from tests import module_times


def test_a_module_over_its_budget_is_named_however_many_are_slow() -> None:
    taken = {f"slow_{number}.py": 61.0 + number for number in range(12)} | {"fast.py": 59.0}
    lines = module_times.summary(taken)
    assert len(lines) == 12
    assert lines[0] == "    72.0 s  slow_11.py  (over the 60 s that a module should take)"
    assert not any("fast.py" in line for line in lines)
    assert module_times.summary({"fast.py": 59.0}) == ["    59.0 s  fast.py"]


def test_the_file_names_test_modules_the_longest_first() -> None:
    # a module that was renamed since is only in an unlucky place
    known = json.loads(module_times.SECONDS.read_text("utf-8"))
    assert [name for name in known if not name.startswith("tests/")] == []
    assert list(known.values()) == sorted(known.values(), reverse=True)


def test_times_are_written_as_they_are_read() -> None:
    taken = {"b.py": 1.2, "a.py": 70.4, "short.py": 0.2}
    assert json.loads(module_times.written(taken)) == {"a.py": 70, "b.py": 1}
