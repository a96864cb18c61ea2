"""The commands process: takes commands over HTTP, decides, answers, and sends the resulting
events.
"""

from services.runtime.processes import Process

PROCESS = Process(
    name="commands",
    module=__name__,
    does="Decides what may be refused: holds of points and of stock, returns.",
    scaling="Any number behind a balancer: the locks that deciders need are in Postgres.",
    port=8083,
)
