"""The commands process: decides commands over HTTP, which may be denied, and appends the resulting
events.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="commands",
    module=__name__,
    does="Decides commands, which may be denied: holds of points, reservations of stock, returns.",
    scaling="Any number behind a load balancer: deciders lock in Postgres.",
    port=8083,
)
