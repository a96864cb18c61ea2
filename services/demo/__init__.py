"""The demo: sends one retailer's store and web sales, and checks every answer."""
