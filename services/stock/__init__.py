"""Reservations of stock: units are held for a while, then committed to an order or released."""
