"""Who appends the log? A producer of another client library, as fast as it is told."""

from __future__ import annotations

import threading
import time

from confluent_kafka import Producer

from tests.faults.disorder import Append

AT_ONCE = 200


class Sender:
    """Appends in order, in a thread of its own; `rate` 0 is as fast as it goes."""

    def __init__(self, kafka: str, appends: list[Append], rate: int = 0) -> None:
        self._producer = Producer(
            {"bootstrap.servers": kafka, "acks": "all", "enable.idempotence": True, "linger.ms": 5}
        )
        self._appends, self._rate = appends, rate
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.sent = 0
        self.failed: list[str] = []

    def start(self) -> None:
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits until the broker has acknowledged everything."""
        self._thread.join()
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} records were not taken: {self.failed[0]}")

    def _send(self) -> None:
        began = time.monotonic()
        for start in range(0, len(self._appends), AT_ONCE):
            for append in self._appends[start : start + AT_ONCE]:
                self._produce(append)
            self.sent += AT_ONCE
            self._producer.poll(0)
            if self._rate:
                time.sleep(max(0.0, self.sent / self._rate - (time.monotonic() - began)))
        self._producer.flush()

    def _produce(self, append: Append) -> None:
        while True:
            try:
                self._producer.produce(
                    append.topic, append.value, append.key, headers=list(append.headers),
                    on_delivery=self._delivered,
                )  # fmt: skip
                return
            except BufferError:
                self._producer.poll(0.1)

    def _delivered(self, error: object, message: object) -> None:
        if error is not None:
            self.failed.append(str(error))
