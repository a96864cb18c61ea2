"""Does what must always hold still hold? Looked at again and again, a few keys at a time."""
