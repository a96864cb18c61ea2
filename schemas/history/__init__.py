"""Released schema versions, their ids, and golden values that all later code must decode."""
