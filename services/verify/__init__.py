"""Verifies the stored data: recomputes it from the log with separate code and compares row
by row.
"""
