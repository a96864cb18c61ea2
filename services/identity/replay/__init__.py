"""What would other rules make of everybody? Folded in memory, compared, and switched to or not."""
