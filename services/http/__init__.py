"""What all HTTP processes use: bearer tokens, limits, health, problem details, the server."""
