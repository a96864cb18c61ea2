"""The identity process: the matcher, and the review of cases over HTTP."""

from services.runtime.processes import Process

PROCESS = Process(
    name="identity",
    module=__name__,
    does="Finds and decides which profiles are one person.",
    scaling="Two, so that one may die; each knows everybody (some 2 GiB for a million). "
    "Kafka's group shares out pairs.",
    port=8084,
    compose=2,
)
