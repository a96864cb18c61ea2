"""Shared by all processes: settings, clients, metrics, logging."""
