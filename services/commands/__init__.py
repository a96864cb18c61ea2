"""The process that decides: commands come in over HTTP, answers go out, facts follow."""

from services.runtime.processes import Process

PROCESS = Process(
    name="commands",
    module=__name__,
    does="Decides what may be refused: holds of points and of stock, returns.",
    scaling="Any number behind a balancer: the locks that deciders need are in Postgres.",
    port=8083,
)
