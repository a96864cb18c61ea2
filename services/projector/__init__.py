"""Builds the projections: Kafka in, one transaction a batch, Postgres and then Redis out."""
