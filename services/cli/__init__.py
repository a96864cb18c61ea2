"""The command line `hitotsu` for operators."""
