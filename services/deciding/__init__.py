"""Command handling: decides commands in Postgres, once per idempotency key, and makes events."""
