"""Shared by all HTTP processes: bearer tokens, limits, health, problem details, the server."""
