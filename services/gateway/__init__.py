"""The door for facts: validates, seals, appends with `acks=all`, answers per event. Stateless."""

from services.runtime.processes import Process

PROCESS = Process(
    name="gateway",
    module=__name__,
    does="Takes facts in over HTTP, seals them and appends them to Kafka.",
    scaling="Any number behind a balancer; holds no state.",
    port=8080,
)
