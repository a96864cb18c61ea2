"""Rebuilds projections: folds them from offset 0 beside the live ones, then swaps the tables."""
