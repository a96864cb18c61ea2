"""The gateway, a stateless HTTP service: validates and seals events, appends them with
`acks=all`.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="gateway",
    module=__name__,
    does="Takes facts in over HTTP, seals them and appends them to Kafka.",
    scaling="Any number behind a balancer; holds no state.",
    port=8080,
)
