"""Shared by the demo's questions and runner: HTTP answers, progress bars, comparison."""
