"""What a points program does by itself: accrual by rules, and expiry."""
