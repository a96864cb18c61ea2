"""What is asked, and compared with the oracle: one module a row of the report, all there is."""
