"""Lint, generator, release and registry commands for the schemas; running services use none
of it.
"""
