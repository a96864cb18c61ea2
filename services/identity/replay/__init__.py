"""Tries other match rules in memory: compares the groupings, and switches if requested."""
