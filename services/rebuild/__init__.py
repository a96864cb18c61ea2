"""Rebuilds projections: folds the log from offset 0 into new tables, then swaps these in."""
