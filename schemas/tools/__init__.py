"""Lint, generator, release and registry of the schemas; not used by running services."""
