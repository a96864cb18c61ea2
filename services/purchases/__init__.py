"""Commands on purchases: a profile claims a guest's purchase."""
