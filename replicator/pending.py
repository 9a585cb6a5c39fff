"""The paths of one source that are still to be sent, each once, however often it changes."""

from collections.abc import Callable, Iterator

from replicator.journal_rows import Waiting
from replicator.pace import Pace
from replicator.turns import Item, State, Turns
from replicator.watcher import Grade

#: Seconds from the first write of a file that stays open to its first marked moment.
OPEN_AFTER = 1.0
#: Seconds in which a folder's changes of times are gathered.
FOLDER_AFTER = 0.2


class Pending:
    """Ready ones leave in the order in which they were seen; when `urgent` the smallest and newest first.

    `now` is a monotonic clock in seconds. Bounded by the number of paths, never by the number of events.
    """

    def __init__(self, persist: Callable[[bytes, Waiting | None], None]) -> None:
        self._persist = persist
        self._items: dict[bytes, Item] = {}
        #: Those that changed while they were under way: they stand behind younger ones.
        self._back: dict[bytes, Item] = {}
        self._turns = Turns()
        self._aside: dict[bytes, Item] = {}
        #: When that was seen whose paths are still looked for.
        self._sought: list[int] = []
        self._pace = Pace()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._sought)

    # ------------------------------------------------------------------ coming

    def add(
        self, path: bytes, seen_ns: int, now: float, *, grade: Grade = Grade.NOW, size: int = 0, force: bool = False
    ) -> None:
        """This path may have changed."""
        item = self._items.get(path)
        if item is None:
            item = self._items[path] = Item(path, seen_ns, grade, size)
            item.force = force
            self.bytes += size
            self._persist(path, Waiting(seen_ns, size))
            self._schedule(item, now)
            return
        if item.state is State.BUSY:
            if item.again is None:
                item.again, item.again_ns = grade, seen_ns
            item.again = min(item.again, grade)
            item.again_force = item.again_force or force
            return
        item.force = item.force or force
        if item.state is State.READY:
            item.grade = min(item.grade, grade)
        elif grade is Grade.NOW and (item.reason or item.grade is not Grade.NOW):
            item.grade = grade
            self._schedule(item, now)

    def add_late(self, path: bytes, seen_ns: int, now: float) -> None:
        """As `add`, of a change that was seen before some that stand here already."""
        self.add(path, seen_ns, now)
        item = self._items[path]
        item.late, item.seen_ns = True, min(item.seen_ns, seen_ns)
        if item.again is not None:
            item.again_ns = min(item.again_ns, seen_ns)
        self._back[path] = item

    def seek(self, seen_ns: int) -> None:
        """Something was seen then, and which paths it concerns is still looked for; `sought` ends that."""
        self._sought.append(seen_ns)

    def sought(self, seen_ns: int) -> None:
        """The paths of what was seen then have been added."""
        self._sought.remove(seen_ns)

    def _schedule(self, item: Item, now: float) -> None:
        wait = 0.0
        if item.grade is Grade.OPEN:
            wait = max(OPEN_AFTER, self._pace.open(item.path, now))
        elif item.grade is Grade.FOLDER:
            wait = FOLDER_AFTER
        else:
            wait = self._pace.closed(item.path, now)
        if wait:
            self._turns.later(item, now + wait)
        else:
            self._turns.ready(item)

    # ------------------------------------------------------------------ going

    def take(self, most: int, now: float) -> list[Item]:
        """Up to so many that are due, from now on under way."""
        return self._turns.take(most, now)

    def next_due(self) -> float | None:
        """When the next one that waits is due, None when none waits."""
        return self._turns.next_due()

    def finish(self, item: Item, now: float, *, sent: bool = False) -> None:
        """It is at the vault, or need not be sent. If it changed meanwhile it is to be sent again."""
        if self._items.get(item.path) is not item:
            return
        if sent:
            self._pace.sent(item.path, now, moment=item.grade is Grade.OPEN)
        del self._items[item.path]
        self._back.pop(item.path, None)
        self._aside.pop(item.path, None)
        self.bytes -= item.size
        item.state = State.DONE
        self._persist(item.path, None)
        if item.again is not None:
            self.add(item.path, item.again_ns, now, grade=item.again, size=item.size, force=item.again_force)
            self._back[item.path] = again = self._items[item.path]
            again.late = item.late

    def give_back(self, items: list[Item]) -> None:
        """They were taken and not looked at: ready again, before the others."""
        for item in reversed(items):
            self._merge(item)
            self._turns.before(item)

    def requeue(self, item: Item) -> None:
        """Not sent, nobody's fault: it is ready again, behind the others."""
        self._unaside(item)
        self._merge(item)
        self._turns.ready(item)

    def retry(self, item: Item, now: float, wait: float, *, reason: str = "") -> None:
        """Try it again after `wait` seconds; with a reason it is set aside and told until then."""
        if not item.tries:
            item.tried_since = now
        item.tries += 1
        self._merge(item)
        item.reason = reason
        if reason:
            self._aside[item.path] = item
        else:
            self._aside.pop(item.path, None)
        self._turns.later(item, now + wait)

    def nudge(self, path: bytes) -> bool:
        """What this path was waiting for has happened: it is tried now; whether it was waiting."""
        item = self._items.get(path)
        if item is None or item.state is not State.LATER or item.reason or not item.tries:
            return False
        self._turns.ready(item)
        return True

    def let_go(self) -> None:
        """What stood against those set aside is over: they are tried now."""
        for item in self._aside.values():
            if item.state is State.LATER:
                self._turns.ready(item)

    def recall(self) -> None:
        """The connection is gone: what was under way may or may not have arrived."""
        for item in self._items.values():
            if item.state is State.BUSY:
                item.force = True
                self._merge(item)
                self._turns.ready(item)

    def _merge(self, item: Item) -> None:
        if item.again is not None:
            item.grade, item.again = min(item.grade, item.again), None
            item.force, item.again_force = item.force or item.again_force, False

    def _unaside(self, item: Item) -> None:
        item.reason, item.tries = "", 0
        self._aside.pop(item.path, None)

    def sized(self, item: Item, size: int) -> None:
        """How many bytes it has, now that somebody looked."""
        if size != item.size and self._items.get(item.path) is item:
            self.bytes += size - item.size
            item.size = size

    # ------------------------------------------------------------------ looking

    @property
    def oldest_ns(self) -> int:
        """When the oldest of them was seen, 0 when there is none; those set aside are told by themselves."""
        return min((*self._sought, *(item.seen_ns for item in self._firsts(folders=False))), default=0)

    def waits(self, until_ns: int) -> bool:
        """Whether one that is not set aside was seen until then, or something whose paths are still looked for."""
        seen = (*self._sought, *(item.seen_ns for item in self._firsts(folders=True)))
        return any(seen_ns <= until_ns for seen_ns in seen)

    def _firsts(self, *, folders: bool) -> Iterator[Item]:
        """Among these is the oldest that is not set aside: the first to come stand first, but for some."""
        for item in self._items.values():
            if not item.reason and (folders or item.grade is not Grade.FOLDER):
                yield item
                break
        for item in tuple(self._back.values()):
            if not item.reason and (folders or item.grade is not Grade.FOLDER):
                yield item

    @property
    def moving(self) -> int:
        """How many there are that are not set aside."""
        return len(self._items) - len(self._aside)

    @property
    def ready(self) -> int:
        """How many wait for nothing but their turn; some may be counted twice."""
        return len(self._turns)

    @property
    def aside(self) -> dict[bytes, Item]:
        """Those that are set aside, with their reasons."""
        return self._aside

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def hurry(self) -> None:
        """Nothing waits for company any more: the process is about to stop, or to flee."""
        self._turns.hurry()

    def set_urgent(self, *, urgent: bool) -> None:
        """Smallest and newest first, or again in order."""
        self._turns.set_urgent(self._items.values(), urgent=urgent)
