"""Released schema versions, their ids, and the golden corpus that every reader must understand."""
