"""Command handling: decides before an event exists, once per idempotency key, durably."""
