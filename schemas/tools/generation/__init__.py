"""Generates the typed classes, edge models and documents from the .avsc files."""
