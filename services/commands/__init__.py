"""The commands process: decides commands, which may be denied, and sends the resulting events.

It also runs background tasks: accrual, expiry, invariants and retention.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="commands",
    module=__name__,
    does="Decides commands, which may be denied: holds of points, returns, reservations of stock, "
    "claims of purchases.",
    scaling="Any number behind a load balancer: deciders lock in Postgres.",
    port=8083,
)
