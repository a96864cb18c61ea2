"""What becomes of points when goods come back."""
