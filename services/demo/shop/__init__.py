"""Converts the generated rows to the events of one retailer: customers, sales, stock …"""

from __future__ import annotations

from services.demo.shop.names import Json

__all__ = ["Json"]
