"""Tests invariants of the stored data continuously, a few keys at a time."""
