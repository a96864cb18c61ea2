"""The identity process: the matcher, and the review of cases over HTTP."""

from services.runtime.processes import Process

PROCESS = Process(
    name="identity",
    module=__name__,
    does="Finds and decides which profiles are one person.",
    scaling="Two, so that one can fail; each holds all profiles (about 2 GiB per million). "
    "A Kafka consumer group divides the pairs.",
    port=8084,
    compose=2,
)
