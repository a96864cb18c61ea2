"""Applied facts read on with a cursor; which of several processes does a task (leader election)."""
