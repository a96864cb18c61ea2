"""Facts straight into Kafka, for back-fills and nightly files; checked as at the gateway."""

from services.intake.bulk import BulkProducer, Counts

__all__ = ["BulkProducer", "Counts"]
