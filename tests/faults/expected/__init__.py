"""The oracle's own account of each projection; nothing of the product is imported here."""
