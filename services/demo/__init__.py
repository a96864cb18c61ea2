"""The demo: one retailer's store and web sales go in, and every answer is checked."""
