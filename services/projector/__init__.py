"""Builds the projections: Kafka in, one transaction a batch, Postgres and then Redis out."""

from services.runtime.processes import Process

PROCESS = Process(
    name="projector",
    module=__name__,
    does="Builds the projections: Kafka in, Postgres and then Redis out.",
    scaling="Up to as many as there are partitions, which Kafka's group shares out.",
    local=2,
    compose=2,
)
