"""From the numbers of files, as a watcher tells them where a name is gone, to the names that are left of them."""

import time
from collections.abc import Callable, Sequence

from replicator.looks import Looks


class OtherNames:
    """For the event loop, which is not held up: it looks in the reading thread, which knows what is under way too.

    One look at a time: what is heard of meanwhile is gathered for the next.

    Args:
        names: finds the names that are to be read again.
        looks: looks for them in the reading thread.
    """

    def __init__(self, names: Callable[[Sequence[int]], list[bytes]], looks: Looks) -> None:
        self._names = names
        self._looks = looks
        self._looking = False
        self._heard: set[int] = set()
        self._heard_ns = 0

    def look(self, inodes: Sequence[int]) -> None:
        """These files may have changed."""
        if not self._heard:
            self._heard_ns = time.time_ns()
            self._looks.expect(self._heard_ns)
        self._heard.update(inodes)
        if not self._looking:
            self._begin()

    def _begin(self) -> None:
        heard, self._heard = sorted(self._heard), set()
        self._looking = True
        looked = self._looks.begin(lambda: self._names(heard), self._heard_ns)
        looked.add_done_callback(lambda _: self._over())

    def _over(self) -> None:
        self._looking = False
        if self._heard:
            self._begin()
