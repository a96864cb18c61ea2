"""Facts straight into Kafka, for back-fills and nightly files; checked as at the gateway."""

from services.bulk.producer import BulkProducer, Counts

__all__ = ["BulkProducer", "Counts"]
