"""The way in for facts: admission, checks, sealing, and appending to Kafka."""
