"""Verifies stored data: recomputes it from the log by code of its own, and compares row by row."""
