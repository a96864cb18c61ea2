"""Every situation, collected in one module, so that all of them share one start of the servers."""

from __future__ import annotations

import pytest

from tests.situations.drawn_orders import test_documents_in_drawn_orders_give_one_answer
from tests.situations.tables import situations

__all__ = ["test_documents_in_drawn_orders_give_one_answer"]

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
globals().update(situations())
