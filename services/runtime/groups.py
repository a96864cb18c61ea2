"""The name of the live group of projections."""

LIVE = "main"
"""The default group: the read API reads its tables, and its ledger has every applied event."""
