"""Replays all profiles under other match rules in memory, compares the grouping, and may switch."""
