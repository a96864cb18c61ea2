"""What says that a dependency cannot be used?"""


class NotReady(Exception):
    """Why a dependency cannot be used; its text is shown to whoever asks for readiness."""
