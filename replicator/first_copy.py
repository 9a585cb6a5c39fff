"""Whether a source's first copy lasts: what is unseen then is only what was never looked for."""

import time

from replicator.journal_rows import SourceRow
from replicator.pending import Pending
from replicator.sight import Sight


class FirstCopy:
    """From the first start of a source until its first scan has ended and all that it found is at the vault.

    A restart after that scan ends it: what changed in between is unseen until the next scan has ended, as at any start.
    """

    def __init__(self, row: SourceRow, sight: Sight, pending: Pending) -> None:
        self._row = row
        self._sight = sight
        self._pending = pending
        self._over = bool(row.scanned_ns)
        self._scanned_ns = 0

    def lasts(self) -> bool:
        """Whether it does, and whatever changes meanwhile is seen."""
        if self._over:
            return False
        if self._row.scanned_ns and not self._scanned_ns:
            self._scanned_ns = time.time_ns()
        if self._scanned_ns and not self._pending.waits(self._scanned_ns):
            self._over = True
        sight = self._sight
        seen = (
            sight.method != "scan" and not (sight.lasting or sight.missing) and sight.blind_reason in {"", "starting"}
        )
        return seen and not self._over
