"""Files whose path has gone lately: a rename is often told by its old name first, and its bytes are at the vault."""

from collections import OrderedDict

from replicator.journal_rows import Known

#: How many are remembered, some 300 bytes each.
_MOST = 32_768


class LatelyGone:
    """What the vault has of the last files to go, by inode. For one thread."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Known] = OrderedDict()

    def add(self, known: Known) -> None:
        """This path is gone."""
        if known.hash and known.ino:
            self._known[known.ino] = known
            self._known.move_to_end(known.ino)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)

    def of(self, ino: int) -> list[Known]:
        """What was read from this inode under a name that is gone."""
        known = self._known.get(ino)
        return [] if known is None else [known]
