"""Tables of what cannot be derived from the log, and therefore is backed up and migrated."""
