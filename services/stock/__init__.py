"""May these units be promised? Reservations: held for a while, then committed or released."""
