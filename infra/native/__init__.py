"""Runs the servers as plain processes, without container engine, root or an installed Java."""
