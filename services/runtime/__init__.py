"""What all processes use: settings, Postgres and Kafka clients, tokens, metrics, logging."""
