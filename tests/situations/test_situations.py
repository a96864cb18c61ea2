"""Every situation, collected in one module, so that all of them share one start of the servers."""

from __future__ import annotations

import pytest

from tests.situations.tables import situations

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
globals().update(situations())
