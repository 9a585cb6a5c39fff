"""Whether what stands at a source's root is the source: judged before it is watched, asked again at every doubt."""

from pathlib import Path

from replicator.guard import Verdict, judge
from replicator.inner import Inner
from replicator.journal import Journal
from replicator.journal_rows import SourceRow
from replicator.root import is_empty, look, stands


class Standing:
    """One source's root.

    Args:
        root: its folder.
        number: the source's number in the journal.
        row: what is remembered of the source; the root's identity in it is kept here.
        journal: what the vault has.
        accept: made by an operator, this file says that the root is right although it is another.
        inner: what is mounted inside.

    Attributes:
        lost: what was mounted or unmounted inside since the root was judged, or empty; it is to be judged anew then.
    """

    def __init__(
        self, root: bytes, number: int, row: SourceRow, journal: Journal, *, accept: Path, inner: Inner
    ) -> None:
        self.lost = ""
        self._root = root
        self._number = number
        self._row = row
        self._journal = journal
        self._accept = accept
        self._inner = inner
        self._armed: tuple[int, int] = (0, 0)

    def judge(self) -> Verdict:
        """What to make of the folder that stands there now; from then on `fit` tells it from any other.

        Raises:
            JournalError: the journal cannot be read.
        """
        self.lost = ""
        root = look(self._root)
        accepted = self._accept.exists()
        paths = self._journal.count(self._number, 1) or len(self._journal.children(self._number, b""))
        verdict = judge(self._row.root, root, paths, accepted=accepted)
        if root is not None and verdict.fit:
            self._armed = root.identity
        if accepted and root is not None:
            self._row.root = root.identity
            self._inner.accept()
            self._journal.remember(self._number, self._row)
            self._accept.unlink(missing_ok=True)
        return verdict

    def fit(self) -> bool:
        """Whether the root is still the folder that was judged; from any thread.

        Raises:
            JournalError: the journal cannot be read.
        """
        if self.lost or not stands(self._root, self._armed):
            return False
        if changed := self._inner.look():  # its watches and what was seen there are to be made anew
            self.lost = changed
            return False
        # Where nothing was ever seen that the vault has, an empty root is a new machine whose disk is not mounted.
        return self._row.root != (0, 0) or not (self._journal.children(self._number, b"") and is_empty(self._root))

    def trust(self) -> None:
        """What was judged is the source for good: another folder in its place is another."""
        self._row.root = self._armed
