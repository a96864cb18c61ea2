"""The read API process: answers queries over HTTP from Redis or Postgres, and writes nothing."""

from services.runtime.processes import Process

PROCESS = Process(
    name="api",
    module=__name__,
    does="Answers queries over HTTP from Redis or Postgres; reads only.",
    scaling="Any number behind a balancer.",
    port=8081,
)
