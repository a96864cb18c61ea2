"""How old is what is read, and how long does a caller wait? At a steady load."""
