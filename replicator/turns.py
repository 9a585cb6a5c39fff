"""In which order the paths of one source leave: as they were seen, or in haste the smallest and newest first."""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable
from enum import IntEnum

from replicator.watcher import Grade


class State(IntEnum):
    """Where an item is."""

    READY = 0
    LATER = 1
    BUSY = 2
    DONE = 3


class Item:
    """One path that is still to be sent. Owned by the event loop; other threads only read it."""

    __slots__ = (
        "again",
        "again_force",
        "again_ns",
        "due",
        "force",
        "grade",
        "late",
        "path",
        "reason",
        "seen_ns",
        "size",
        "state",
        "tried_since",
        "tries",
        "whole",
    )

    def __init__(self, path: bytes, seen_ns: int, grade: Grade, size: int) -> None:
        self.path = path
        self.seen_ns = seen_ns
        self.grade = grade
        self.size = size
        self.state = State.READY
        self.due = 0.0
        #: Send it even if the journal holds that the vault has it so: what the vault has is not certain.
        self.force = False
        #: Send it with its bytes: the vault said that it has not got them.
        self.whole = False
        #: The grade of a change that was seen while this one was under way.
        self.again: Grade | None = None
        self.again_ns = 0
        self.again_force = False
        #: Whether another path's change, seen at `seen_ns`, brought it here.
        self.late = False
        self.tries = 0
        self.tried_since = 0.0
        #: Why it is set aside, or empty.
        self.reason = ""


class Turns:
    """Items that wait for their turn or for a time; in haste (`set_urgent`) turns go by size and age.

    For the event loop. `now` and `due` are monotonic seconds. An item whose state was changed elsewhere is passed over.
    """

    def __init__(self) -> None:
        self._ready: deque[Item] = deque()
        self._later: list[tuple[float, int, Item]] = []
        self._order = itertools.count()
        self._urgent: list[tuple[int, int, int, Item]] | None = None

    def __len__(self) -> int:
        return len(self._ready if self._urgent is None else self._urgent)

    def ready(self, item: Item) -> None:
        """It waits for its turn only, behind the others."""
        item.state = State.READY
        if self._urgent is not None:
            heapq.heappush(self._urgent, (item.size.bit_length(), -item.seen_ns, next(self._order), item))
        else:
            self._ready.append(item)

    def before(self, item: Item) -> None:
        """The same, before the others."""
        if self._urgent is not None:
            self.ready(item)
        else:
            item.state = State.READY
            self._ready.appendleft(item)

    def later(self, item: Item, due: float) -> None:
        """It waits for a time."""
        item.state, item.due = State.LATER, due
        heapq.heappush(self._later, (due, next(self._order), item))

    def take(self, most: int, now: float) -> list[Item]:
        """Up to so many that are due, from now on under way."""
        self._wake(now)
        taken: list[Item] = []
        while len(taken) < most and (item := self._next()) is not None:
            item.state = State.BUSY
            taken.append(item)
        return taken

    def next_due(self) -> float | None:
        """When the next one that waits for a time is due, None when none does."""
        while self._later and not _waits(*self._later[0]):
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def hurry(self) -> None:
        """None waits for a time any more, but those that are set aside."""
        for _, _, item in list(self._later):
            if item.state is State.LATER and not item.reason:
                self.ready(item)

    def set_urgent(self, items: Iterable[Item], *, urgent: bool) -> None:
        """Smallest and newest first, or again in order: that in which all of them stand in `items`."""
        if urgent == (self._urgent is not None):
            return
        ready = [item for item in items if item.state is State.READY]
        self._ready.clear()
        self._urgent = [] if urgent else None
        for item in ready:
            self.ready(item)

    def _wake(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            due, order, item = heapq.heappop(self._later)
            if _waits(due, order, item):
                self.ready(item)

    def _next(self) -> Item | None:
        while self._ready or self._urgent:
            item = heapq.heappop(self._urgent)[-1] if self._urgent else self._ready.popleft()
            if item.state is State.READY:
                return item
        return None


def _waits(due: float, _order: int, item: Item) -> bool:
    """Whether an entry still is what its item waits for."""
    return item.state is State.LATER and item.due == due
