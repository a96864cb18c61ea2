"""Computes the expected answers by SQL over the generated tables, without the product's code."""
