"""Commands that hold, capture and release points, and the points a member can spend."""
