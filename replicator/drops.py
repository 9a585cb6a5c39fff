"""Connections that the vault dropped: each is counted, and told once for each other end and reason."""

import structlog
from prometheus_client import Counter

from replicator.errors import ReplicatorError

#: Other ends and reasons that are remembered as told.
_TOLD_MAX = 1000
_log = structlog.get_logger(__name__)


class Drops:
    """For one thread; `count` is the counter, labelled with the reason."""

    def __init__(self, count: Counter) -> None:
        self._count = count
        self._told: set[tuple[str, str]] = set()

    def drop(self, reason: str, error: ReplicatorError, peer: str = "") -> None:
        """Count a connection that was dropped, and tell why."""
        self._count.labels(reason).inc()
        self.tell(reason, str(error), peer.rpartition(":")[0] or reason)

    def tell(self, reason: str, text: str, whom: str) -> None:
        """Say it once for each other end and reason."""
        if len(self._told) > _TOLD_MAX:
            self._told.clear()
        if (whom, reason) not in self._told:
            self._told.add((whom, reason))
            _log.warning("connection dropped", reason=reason, text=text)
