"""Lint, generator, release and registry commands for schemas; no running service uses them."""
