"""Which group of projections is the live one?"""

LIVE = "main"
"""The group of projections that name none: its tables answer, and its ledger has every event."""
