"""The oracle: the expected answers, computed by SQL over the generated tables only."""
