"""A till in a process of its own, so that a test can kill it wherever it is.

    python -m tests.e2e.till FILE URL TERMINAL SKU sell FROM | flush

The token and the gateway's key come in the environment. `sell` prints the number of each receipt
once the customer would be given it; every receipt has the same event id however often it is made.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from services.sdk import Buffer, Client, delivery, event_id_for
from tests.services.gateway.running import event

SALES = 1_000
AT_A_TIME = 10


def sale(terminal: str, sequence: int, sku: str) -> dict[str, Any]:
    """One unit sold, under the id that this receipt has for ever."""
    made = event("PurchaseCompleted")
    made["meta"]["event_id"] = event_id_for("pos", "S001", terminal, 0, sequence, "sale")
    made["meta"]["producer"] |= {"terminal_id": terminal, "terminal_sequence": sequence}
    made["transaction_id"] = event_id_for("pos", "S001", terminal, 0, sequence, "transaction")
    made["lines"] = [made["lines"][0] | {"line_no": 1, "sku": sku, "quantity": 1}]
    return made


def main(path: str, url: str, terminal: str, sku: str, *verb: str) -> None:
    buffer = Buffer(path, os.environ["TILL_KEY"])
    delivery.MOST_EVENTS = AT_A_TIME  # so that a flush takes long enough to be killed
    with Client(url, os.environ["TILL_TOKEN"], buffer) as till:
        if verb[0] == "flush":
            till.flush()
            return
        for sequence in range(int(verb[1]), SALES):
            till.send([sale(terminal, sequence, sku)])
            sys.stdout.write(f"{sequence}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
