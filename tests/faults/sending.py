"""Who appends the log? A producer of another client library, as fast as it is told."""

from __future__ import annotations

import threading
import time
from typing import Any

from confluent_kafka import Producer

from tests.faults.disorder import Append

AT_ONCE = 200


class Sender:
    """Appends in order, in a thread of its own; `rate` 0 is as fast as it goes."""

    def __init__(self, kafka: str, appends: list[Append], rate: int = 0) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True,
            # keys go where every producer of ours puts them
            "linger.ms": 5, "log_level": 0, "partitioner": "murmur2_random",
        }  # fmt: skip
        self._producer = Producer(settings)
        self._appends, self._rate = appends, rate
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._ending = threading.Event()
        self._held_until = 0.0
        self.sent = 0
        self.failed: list[str] = []

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Sends no more; what was sent is delivered."""
        self._ending.set()
        self.join()

    def hold(self, seconds: float) -> None:
        """Sends nothing for so long, and then, at once, what it should have sent by then."""
        self._held_until = time.monotonic() + seconds

    def join(self) -> None:
        """Waits until everything is sent and acknowledged."""
        self._thread.join()
        self.finish()

    def finish(self) -> None:
        """Waits until the broker has acknowledged everything that was put."""
        self._producer.flush()
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} records were not taken: {self.failed[0]}")

    def put(self, append: Append) -> None:
        """Hands one over."""
        while True:
            try:
                self._producer.produce(
                    append.topic, append.value, append.key, headers=list(append.headers),
                    on_delivery=self._delivered,
                )  # fmt: skip
                return
            except BufferError:
                self._producer.poll(0.1)

    def poll(self) -> None:
        """Hears what was delivered."""
        self._producer.poll(0)

    def _send(self) -> None:
        began = time.monotonic()
        for start in range(0, len(self._appends), AT_ONCE):
            self._ending.wait(max(0.0, self._held_until - time.monotonic()))
            if self._ending.is_set():
                return
            for append in self._appends[start : start + AT_ONCE]:
                self.put(append)
            self.sent += len(self._appends[start : start + AT_ONCE])
            self.poll()
            if self._rate:
                time.sleep(max(0.0, self.sent / self._rate - (time.monotonic() - began)))

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self.failed.append(str(error))
