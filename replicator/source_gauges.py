"""What is measured of one source at the moment of asking."""

from dataclasses import dataclass

from replicator.canary import Canary
from replicator.first_copy import FirstCopy, sees_from_now
from replicator.journal_rows import SourceRow
from replicator.missed import Missed
from replicator.pending import Pending
from replicator.sight import Sight


@dataclass(eq=False)
class SourceGauges:
    """As of `replicator_metrics.Gauges`. For the event loop, or for who can live with a number that just changed."""

    id: str
    pending: Pending
    sight: Sight
    row: SourceRow
    missed: Missed
    canary: Canary
    first: FirstCopy

    def pending_files(self) -> int:
        """Paths still to be sent."""
        return len(self.pending)

    def pending_bytes(self) -> int:
        """Their bytes, as far as known."""
        return self.pending.bytes

    def missed_total(self) -> int:
        """Changes that a scan found and no event told."""
        return self.missed.total

    def canary_seconds(self) -> float | None:
        """How long the last canary took, or is out."""
        return self.canary.seconds

    def blind(self) -> bool:
        """Whether changes may go unseen."""
        return bool(self.sight.blind_since_ns)

    def starting(self) -> bool:
        """Whether this start's scan has not ended, and whatever changes meanwhile is seen."""
        return self.blind() and sees_from_now(self.sight)

    def first_copy(self) -> bool:
        """Whether all is being carried for the first time, and nothing is wrong but that it lasts."""
        return self.first.lasts()

    def lag(self, now_ns: int) -> float:
        """Seconds of work that would be lost with this room now: since the oldest unsent change, or since blind."""
        since = [at for at in (self.pending.oldest_ns, self.sight.blind_since_ns) if at]
        if self.sight.method == "scan" and self.row.scanned_ns:
            since.append(self.row.scanned_ns)
        return max(0.0, (now_ns - min(since)) / 1e9) if since else 0.0
