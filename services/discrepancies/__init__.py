"""Commands on discrepancies: people decide which side is right."""
