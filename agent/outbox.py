"""What is still to be published: the newest payload of each topic, bounded."""

import threading
from dataclasses import dataclass

#: Topics that wait at most; beyond that the oldest that nobody retains is dropped first.
CAPACITY = 10_000


@dataclass(frozen=True, slots=True)
class Publication:
    """One payload for one topic."""

    topic: str
    payload: bytes
    retain: bool


class Outbox:
    """The publications that wait and the retained ones that a new broker must be given again.

    Every method may be called from any thread. Memory is bounded by the number of retained topics (points, alarms,
    sources, parts) and `capacity`.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._guard = threading.Lock()
        self._waiting: dict[str, Publication] = {}
        self._retained: dict[str, Publication] = {}
        #: Publications that were dropped because nobody took them.
        self.dropped = 0

    def put(self, item: Publication) -> None:
        """Add one; it takes the place of an older one of its topic."""
        with self._guard:
            if item.retain:
                self._retained[item.topic] = item
            self._waiting.pop(item.topic, None)
            self._waiting[item.topic] = item
            if len(self._waiting) > self._capacity:
                self._drop()

    def take(self) -> Publication | None:
        """Remove and return the one that waits longest."""
        with self._guard:
            topic = next(iter(self._waiting), None)
            return None if topic is None else self._waiting.pop(topic)

    def give_back(self, item: Publication) -> None:
        """Put back one that could not be published, unless there is a newer one of its topic."""
        with self._guard:
            if item.topic not in self._waiting:
                self._waiting = {item.topic: item, **self._waiting}

    def renew(self) -> None:
        """Let every retained publication wait again, before the others: the broker may know nothing."""
        with self._guard:
            self._waiting = {**self._retained, **self._waiting}

    def __len__(self) -> int:
        return len(self._waiting)

    def _drop(self) -> None:
        victim = next((topic for topic, item in self._waiting.items() if not item.retain), None)
        self._waiting.pop(victim if victim is not None else next(iter(self._waiting)))
        self.dropped += 1
