"""Answers queries of projections over HTTP, from Redis or Postgres, with the answer's position."""
