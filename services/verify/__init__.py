"""Is what we know what the log says? Recomputed by another reader and compared row by row."""
