"""Reads of projections in one snapshot, from Redis or Postgres, each saying how far it read."""
