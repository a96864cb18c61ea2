"""The projector: consumes Kafka, stores one transaction per batch in Postgres, then updates
Redis.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="projector",
    module=__name__,
    does="Builds the projections: Kafka in, Postgres and then Redis out.",
    scaling="Up to as many as there are partitions, which Kafka's group shares out.",
    local=2,
    compose=2,
)
