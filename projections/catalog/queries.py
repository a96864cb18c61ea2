"""The catalog has no routes of its own; other projections' queries read it."""
