"""A sealer that seals nothing, for tests that look at what is handed to one."""


class OpenSealer:
    """Keeps what it was asked for; refuses what it was told to refuse."""

    def __init__(self, refuse: str | None = None) -> None:
        self.asked: list[tuple[bytes, str, str, str]] = []
        self.refuse = refuse

    def seal(self, event_id: bytes, subject: bytes, field: str, kind: str, clear: str) -> bytes:
        self.asked.append((subject, field, kind, clear))
        if kind == self.refuse:
            raise ValueError("has no number in it")
        return b"sealed:" + clear.encode()

    def index(self, kind: str, clear: str) -> bytes:
        if kind == self.refuse:
            raise ValueError("has no number in it")
        return (kind.encode() + b"\0" * 16)[:16]
