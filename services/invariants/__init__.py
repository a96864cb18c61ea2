"""Tests invariants of the stored data, continuously and by `hitotsu verify`."""
