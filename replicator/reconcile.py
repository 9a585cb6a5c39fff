"""Compares the journal with the vault's own list: the vault is the truth, the journal a cache."""

import asyncio

import structlog

from replicator.change import Meta
from replicator.errors import ReplicatorError, StreamError
from replicator.journal import Journal
from replicator.journal_rows import Known
from replicator.link import Link
from replicator.messages import Tree
from replicator.paths import is_path
from replicator.source import Source

#: Seconds before a list that the vault could not give is asked for again.
_AGAIN = 5.0
_Entries = list[tuple[bytes, Meta, bytes]]

log = structlog.get_logger(__name__)


class Reconciler:
    """For one connection; one source at a time, since a list does not say which source it is of.

    Entries that are the same are kept. For others the journal takes the vault's word, and the path is sent
    whatever it then seems to be: a newer state may be on its way. What the vault lacks is sent, what it has too
    much is deleted there (its versions stay).
    """

    def __init__(self, link: Link, journal: Journal) -> None:
        self._link = link
        self._journal = journal
        self._pages: asyncio.Queue[_Entries | ReplicatorError | None] = asyncio.Queue(8)

    async def listed(self, page: _Entries | ReplicatorError | None) -> None:
        """The next page of the list, None at its end, or why there is none."""
        await self._pages.put(page)

    async def reconcile(self, source: Source, position: int) -> int:
        """Make the journal say what the vault has; how many paths differed. A list that is refused is asked for again.

        Raises:
            JournalError: the journal cannot be read or written.
        """
        while True:
            try:
                return await self._once(source, position)
            except StreamError as error:
                log.warning("vault's list refused", source=source.id, reason=str(error))
                await asyncio.sleep(_AGAIN)

    async def _once(self, source: Source, position: int) -> int:
        await asyncio.to_thread(self._journal.flush)
        ours = set(await asyncio.to_thread(self._journal.under, source.number, b""))
        differing = 0
        if position:
            self._link.post(Tree(source=source.id))
            while (entries := await self._pages.get()) is not None:
                if isinstance(entries, ReplicatorError):
                    raise entries
                ours.difference_update(path for path, _, _ in entries)
                paths = await asyncio.to_thread(self._compare, source.number, entries)
                differing += len(paths)
                source.mark(paths)
        for path in ours:
            self._journal.put(source.number, path, None)
        source.mark(sorted(ours))
        return differing + len(ours)

    def _compare(self, number: int, entries: _Entries) -> list[bytes]:
        paths = []
        for path, meta, digest in entries:
            known = self._journal.get(number, path)
            if known is None or known.meta != meta or known.hash != digest:
                paths.append(path)
                if not is_path(path):
                    continue  # it is told, and never looked at
                self._journal.put(number, path, Known(meta=meta, hash=digest))
        return paths
