"""Computes in memory what other match rules would do to all profiles; can switch to these rules."""
