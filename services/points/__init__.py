"""Loyalty points: holds (held, captured or released), accrual by rules, returns, expiry."""
