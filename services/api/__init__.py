"""Answers questions over HTTP: reads only, from Redis or Postgres, saying how far it has read."""

from services.runtime.processes import Process

PROCESS = Process(
    name="api",
    module=__name__,
    does="Answers questions over HTTP from Redis and Postgres; reads only.",
    scaling="Any number behind a balancer.",
    port=8081,
)
