"""The refusal of a request that depends on a projection which is being built."""

from __future__ import annotations

from services.http.problem import Refuse
from services.http.problem_type import BUILDING
from services.runtime.build_state import Build

RETRY_SECONDS = 2


def refusal(build: Build) -> Refuse:
    """503 with the progress of the build; members `read` and `total` are null while unknown."""
    far = "" if build.read is None else f": {build.read} of {build.total} records are folded"
    detail = f"The projection {build.projection} is being built from the log{far}."
    more = {"projection": build.projection, "read": build.read, "total": build.total}
    return Refuse.of(BUILDING, detail, retry_after=RETRY_SECONDS, members=more)
