"""What the dispatcher asks of the state file: claims, records, and what is due when. From any thread."""

from datetime import datetime, timedelta

import structlog

from alerts import queue, rows
from alerts.queue import Attempt, Claim
from alerts.retry import Next
from alerts.store import Store

_log = structlog.get_logger(__name__)


class Outbox:
    """The queue of one host. Everything raises `StoreError` when it cannot be read or kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, room: dict[str, int], now: datetime, lease: timedelta) -> list[Claim]:
        """Take due notifications.

        Args:
            room: for each configured channel, how many more it can take at once.
            now: the time.
            lease: how long they are ours; after it they are sent again.
        """
        with self._store.transaction("claim notifications") as db:
            taken, aside = queue.claim(db, room, now, lease)
        for name in aside:
            _log.error("notification set aside", notification=name)
        return taken

    def accepted(self, claim: Claim, attempt: Attempt) -> None:
        """Record that a channel took a notification."""
        with self._store.transaction(f"record {claim.id}") as db:
            queue.accepted(db, claim, attempt)

    def failed(self, claim: Claim, attempt: Attempt, after: Next) -> None:
        """Record a failed try and what is next."""
        with self._store.transaction(f"record {claim.id}") as db:
            queue.failed(db, claim, attempt, after)

    def release(self) -> int:
        """End the leases of a process that is gone, so that its notifications are sent at once."""
        with self._store.transaction("release leases") as db:
            return queue.release(db)

    def next_due(self, now: datetime) -> datetime | None:
        """Return the next moment after now at which there is something to do, or none."""
        with self._store.reading("look for what is due") as db:
            found = [when for when in (rows.next_call(db, now), queue.next_due(db, now)) if when]
        return min(found, default=None)

    def unsent(self, now: datetime) -> int:
        """Count the notifications that are due or just being sent."""
        with self._store.reading("count notifications") as db:
            return queue.unsent(db, now)
