"""Purchases has no route of its own: the projections that read it answer."""
