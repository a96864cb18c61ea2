"""Base classes of background tasks: leader election, and reading applied events by a cursor."""
