"""Whether a source's first copy lasts: what is unseen then is only what was never looked for."""

import time

from replicator.journal import Journal
from replicator.journal_rows import SourceRow
from replicator.pending import Pending
from replicator.sight import Sight


class FirstCopy:
    """From the first start of a source until a scan has ended and all that it found is at the vault.

    A start before that goes on with it, whatever ended the process. A start after it makes a scan as every start does:
    what changed in between is unseen until that has ended.
    """

    def __init__(self, source: int, row: SourceRow, sight: Sight, pending: Pending, journal: Journal) -> None:
        self._source = source
        self._row = row
        self._sight = sight
        self._pending = pending
        self._journal = journal
        self._scanned_ns = 0

    def look(self) -> None:
        """See whether it is over, and remember that; in the event loop, each second."""
        if self._row.copied:
            return
        if self._row.scanned_ns and not self._scanned_ns:
            self._scanned_ns = time.time_ns()
        if self._scanned_ns and not self._pending.waits(self._scanned_ns):
            self._row.copied = True
            self._journal.remember(self._source, self._row)

    def shift(self, by_ns: int) -> None:
        """The clock was set by so much."""
        if self._scanned_ns:
            self._scanned_ns += by_ns

    def lasts(self) -> bool:
        """Whether it does, as of the last look, and whatever changes meanwhile is seen."""
        return not self._row.copied and sees_from_now(self._sight)


def sees_from_now(sight: Sight) -> bool:
    """Whether whatever changes now is seen: unseen is at most what changed before this start."""
    watched = sight.method != "scan" and not (sight.lasting or sight.missing)
    return watched and sight.blind_reason in {"", "starting"}
