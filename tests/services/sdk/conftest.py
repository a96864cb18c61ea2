"""The gateway's fixtures serve here too."""

from tests.services.gateway.conftest import gateway, own_gateway, own_stack

__all__ = ["gateway", "own_gateway", "own_stack"]
