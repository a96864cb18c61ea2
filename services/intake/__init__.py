"""Intake of events: rate limits, validation, encryption of personal fields, appending to Kafka."""
