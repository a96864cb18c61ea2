"""Accepts events: rate limits, validation, sealing, and appending to Kafka."""
