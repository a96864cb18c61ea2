"""Is every test that needs the servers marked, so that it runs only where there are some?"""

from __future__ import annotations

import pytest


def test_what_asks_for_the_servers_is_marked(request: pytest.FixtureRequest) -> None:
    unmarked = [
        item.nodeid
        for item in request.session.items
        if "servers" in getattr(item, "fixturenames", ())
        and item.get_closest_marker("servers") is None
    ]
    assert unmarked == []
