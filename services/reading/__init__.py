"""Serves queries over projections: one snapshot, from Redis or Postgres, with the answer's
position.
"""
