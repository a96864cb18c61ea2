"""Generates event classes, input models, conversions, examples and AsyncAPI from .avsc files."""
