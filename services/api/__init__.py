"""Answers questions over HTTP: reads only, from Redis or Postgres, saying how far it has read."""
