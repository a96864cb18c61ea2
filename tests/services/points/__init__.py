"""Points that can say no, and the rules that earn them."""
