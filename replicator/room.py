"""Whether the vault has room for what one source sends, and when what it refused for want of it is tried again."""

import time

from replicator.pending import Pending
from replicator.turns import Item

#: How the reason begins for which a path that found no room is set aside; the vault's words follow.
NO_ROOM = "vault has no room: "
#: Paths that were refused are tried so often a second, all together.
_TRIES = 5.0
#: Seconds at least before a path is tried again, and between two times at which all are let go.
_LEAST = 2.0


class Room:
    """The first path that was refused and is taken later lets all others go. For the event loop."""

    def __init__(self, pending: Pending) -> None:
        self._reason = ""
        self._pending = pending
        self._let_go = 0.0

    @property
    def lacking(self) -> str:
        """Why there is none, in the vault's words; empty when there is, or nobody asks for it any more."""
        wanted = self._reason and any(item.reason.startswith(NO_ROOM) for item in self._pending.aside.values())
        return self._reason if wanted else ""

    def refused(self, reason: str, wait: float) -> float:
        """There was none for a path that would be tried again after `wait` seconds; after how many it is instead."""
        self._reason = reason
        return min(wait, max(_LEAST, len(self._pending.aside) / _TRIES))

    def taken(self, item: Item) -> bool:
        """The vault has taken this; whether others may be tried now."""
        if not self._reason or not item.reason or time.monotonic() - self._let_go < _LEAST:
            return False
        self._reason, self._let_go = "", time.monotonic()
        self._pending.let_go()
        return True
