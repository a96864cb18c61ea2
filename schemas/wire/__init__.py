"""Avro in the Confluent wire format: codec, readers, writers, sameness of two records."""
