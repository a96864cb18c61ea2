"""Code and documents generated from the .avsc files; edit those."""
