"""The error that a readiness check raises."""


class NotReady(Exception):
    """A dependency cannot be used; the text is part of the `/readyz` answer."""
