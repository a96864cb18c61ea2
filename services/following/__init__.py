"""Background tasks: leader election, and following applied events with a cursor."""
