"""Used by the demo's questions and runner: a client of the read API, progress bars, comparison."""
