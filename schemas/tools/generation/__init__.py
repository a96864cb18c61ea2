"""How the typed classes, edge models and documents come out of the .avsc files."""
