"""Bulk loader: appends events directly to Kafka, with the same checks as the gateway."""

from services.intake.bulk import BulkProducer, Counts

__all__ = ["BulkProducer", "Counts"]
