"""Purchases have no routes of their own; other projections' queries read them."""
