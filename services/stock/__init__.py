"""Reservations of stock: held for a while, then committed or released."""
