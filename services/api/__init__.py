"""The read API: answers queries over HTTP from Redis or Postgres, with the answer's position."""

from services.runtime.processes import Process

PROCESS = Process(
    name="api",
    module=__name__,
    does="Answers questions over HTTP from Redis and Postgres; reads only.",
    scaling="Any number behind a balancer.",
    port=8081,
)
