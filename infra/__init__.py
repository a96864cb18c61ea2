"""Runs the stack: servers, supervisor, topics job, container images, compose files."""
