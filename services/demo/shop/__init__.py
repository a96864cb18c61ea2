"""Converts the generated rows to the events of one shop: one module per topic group."""

from __future__ import annotations

from services.demo.shop.names import Json

__all__ = ["Json"]
