"""Bulk loader: appends events directly to Kafka, validated and sealed as the gateway does.

It has a role but no token, so scopes and rate limits do not apply.
"""

from services.intake.bulk import BulkProducer, Counts

__all__ = ["BulkProducer", "Counts"]
