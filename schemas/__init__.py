"""What can happen: events, their topics, and how they are written on the wire."""
