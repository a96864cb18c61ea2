"""The projector: consumes Kafka, stores one transaction per batch in Postgres, then updates
Redis.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="projector",
    module=__name__,
    does="Builds the projections: reads Kafka, writes Postgres and then Redis.",
    scaling="At most one per partition; Kafka's consumer group assigns the partitions.",
    local=2,
    compose=2,
)
