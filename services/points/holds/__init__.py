"""Commands that hold, capture and release points, and what a member can spend."""
