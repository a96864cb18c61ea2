"""The gateway process: takes events over HTTP, validates and encrypts them, appends them to Kafka.

It stores nothing itself; rate limits and caches are of each process. It answers after Kafka has
acknowledged the events (`acks=all`).
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="gateway",
    module=__name__,
    does="Takes events over HTTP, encrypts personal fields and appends the events to Kafka.",
    scaling="Any number behind a load balancer; each limits the rate of a token by itself.",
    port=8080,
)
