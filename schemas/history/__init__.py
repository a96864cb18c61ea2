"""Released schema versions, their registry ids, and golden values that every reader must decode."""
