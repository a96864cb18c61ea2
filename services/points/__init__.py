"""May these points be spent? Held for a while, then captured or released; earned by rules."""
