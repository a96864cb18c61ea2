"""What every HTTP process shares: bearer tokens, limits, health, problem details, the server."""
