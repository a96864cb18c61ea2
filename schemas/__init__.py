"""The event contracts: events, their topics, and their wire format."""
