"""The read API as a process, which waits 50 ms for what `min_position` names."""

from __future__ import annotations

from functools import partial

from services.api.app import create
from services.http.serve import serve

if __name__ == "__main__":
    serve("api", partial(create, wait_seconds=0.05))
