"""Cases for staff, the search for twins, and decisions about who is who."""
