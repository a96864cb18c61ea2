"""The oracle: what the answers must be, by SQL over the generated tables and nothing else."""
