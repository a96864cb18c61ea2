"""The demo's questions: one module per row of the report."""
