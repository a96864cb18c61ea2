"""How the generated rows become the events of one shop: one module per topic group."""
