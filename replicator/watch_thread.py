"""The thread in which a watcher hears the kernel, and what its owner may ask of it meanwhile: to drain, to stop."""

import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol


class Ear(Protocol):
    """The kernel's side of a watcher."""

    def wake(self) -> None:
        """End a reading that waits; from any thread."""

    def close(self) -> None:
        """Give everything back."""


class WatchThread(ABC):
    """What all watchers that hear events have in common; `start` ends with `_go_on`."""

    def __init__(self) -> None:
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._drains: deque[threading.Event] = deque()

    # ------------------------------------------------------------------ for the owner

    def drain(self, limit: float) -> bool:
        """Wait until what happened before has been told."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._drains.append(done)
        self._ear.wake()
        return done.wait(limit)

    def stop(self) -> None:
        """End the thread and give everything back."""
        self._stopping = True
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._ear.wake()
            thread.join()
            self._ear.close()

    def _go_on(self, ear: Ear) -> None:
        """From now on in a thread of its own; if it was stopped meanwhile, `ear` is given back at once."""
        with self._starting:
            self._ear = ear
            if self._stopping:
                ear.close()
                return
            self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
            self._thread.start()

    # ------------------------------------------------------------------ in the thread

    @abstractmethod
    def _run(self) -> None:
        """Hear and tell until `_stopping`."""

    @abstractmethod
    def _step(self, limit: float | None) -> bool:
        """One look at what waits; whether anything did. Without any, wait up to `limit` seconds."""

    @abstractmethod
    def _walking(self) -> bool:
        """Whether folders are still to be looked at."""

    def _drain(self, rounds: int) -> None:
        """Look until nothing waits, at most so many times."""
        while rounds > 0 and not self._stopping:
            heard = self._step(0)
            if not self._walking():
                rounds = rounds - 1 if heard else 0

    def _drained(self, waiting: int) -> None:
        """Tell the first so many who wait that all has been told."""
        for _ in range(waiting):
            self._drains.popleft().set()
