"""Whatever happens on the way, the answers are those of the oracle, and each event counts once."""

from __future__ import annotations

import pytest

from tests.faults.__main__ import say, table
from tests.faults.scenario import Outcome, Scenario, run
from tests.faults.scenarios import CONTROLS, KILLED, SHORT_KILLED, SHORT_UNDISTURBED, UNDISTURBED

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


def _shown(scenario: Scenario) -> Outcome:
    outcome = run(scenario, say)
    say(table(outcome))
    assert outcome.kills == scenario.kills
    return outcome


@pytest.mark.parametrize(
    "scenario",
    [
        SHORT_UNDISTURBED,
        SHORT_KILLED,
        pytest.param(UNDISTURBED, marks=pytest.mark.long),
        pytest.param(KILLED, marks=pytest.mark.long),
    ],
    ids=["undisturbed", "killed", "undisturbed at length", "killed at length"],
)
def test_resent_late_and_broken_records_leave_every_answer_right(scenario: Scenario) -> None:
    outcome = _shown(scenario)
    assert [line for line in outcome.lines if line.differences] == []
    assert all(line.compared for line in outcome.lines), "something was compared with nothing"


@pytest.mark.long
@pytest.mark.parametrize("scenario", CONTROLS, ids=lambda scenario: scenario.plant)
def test_a_planted_bug_does_not_get_past_the_oracle(scenario: Scenario) -> None:
    assert _shown(scenario).differences > 0
