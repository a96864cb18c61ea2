"""Tries other match rules on all profiles in memory; can switch to them."""
