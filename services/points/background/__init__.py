"""Background tasks of a points program: accrual by rules, and expiry."""
