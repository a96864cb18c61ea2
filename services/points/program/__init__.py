"""The rules of a points program, and what a sale earns by them."""
