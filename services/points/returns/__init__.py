"""The effect of returned goods on points."""
