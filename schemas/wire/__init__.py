"""Avro in the Confluent wire format: codec, readers, writers, and comparison of two records."""
