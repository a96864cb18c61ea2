"""The door for facts: validates, seals, appends with `acks=all`, answers per event. Stateless."""
