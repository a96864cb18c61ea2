"""Review by staff: the queue of cases, duplicate search, and decisions on pairs."""
