"""What each item of one commit becomes: a record, nothing (it is so already), a question, a refusal."""

import hashlib

from msgspec.structs import replace

from replicator.catalog import State, key_of, state_of
from replicator.change import Kind
from replicator.errors import FullError
from replicator.item import Item, Outcome
from replicator.known import Fresh, Known
from replicator.messages import INLINE, Delete, Mark, Put, Seal
from replicator.records import Record, What

_GONE = State(None, b"")


class Batch:
    """Decides what each item of one commit becomes: a record, nothing (it is so already), a question, a refusal."""

    def __init__(self, known: Known, items: list[Item]) -> None:
        self.records: list[tuple[Record, bytes]] = []
        self.outcomes: list[Outcome] = []
        self.waiting: list[Outcome] = []
        self._known = known
        self._fresh = Fresh()
        self._contents: set[bytes] = set()
        self.positions: dict[str, int] = {}
        brought = {item.message.hash for item in items if item.payload and isinstance(item.message, Put)}
        self._held = known.held(brought)
        for item in items:
            self._add(item)

    def _add(self, item: Item) -> None:
        """Decide one item."""
        message = item.message
        if message is None or isinstance(message, Mark):
            self._done(item, "" if message is None else message.source)
            return
        source = message.source
        if refusal := self._foreign(item, source):
            self.outcomes.append(refusal)
        elif isinstance(message, Put):
            self._put(item, message)
        elif isinstance(message, Delete):
            self._delete(item, message)
        else:
            self._seal(item, message)

    def refuse(self, error: FullError) -> None:
        """There is no room for the records: nothing of this commit is kept."""
        self.waiting = [
            each if each.item.message is None else Outcome(item=each.item, code="full", text=str(error), again=True)
            for each in self.waiting
        ]

    def _foreign(self, item: Item, source: str) -> Outcome | None:
        site = self._known.sites.get(source, item.site)
        if site == item.site:
            return None
        return Outcome(item=item, code="taken", text=f"source {source} belongs to site {site}")

    def _seal(self, item: Item, seal: Seal) -> None:
        position = self._next(item.site, seal.source)
        record = Record(what=What.SEAL, source=seal.source, position=position, name=seal.name)
        record = replace(record, pending=seal.pending, pending_bytes=seal.pending_bytes, oldest_ns=seal.oldest_ns)
        self._keep(item, record, b"")

    def _put(self, item: Item, put: Put) -> None:
        kind = put.meta.kind
        new = self._new(put)
        state = state_of(put.meta, put.hash)
        if not new and self._state(put.source, put.path) == state:
            self._done(item, put.source)
            return
        payload = b""
        if kind is Kind.FILE and not item.stored:
            if refusal := self._content(item, put):
                self.outcomes.append(refusal)
                return
            if put.inline and not self._holds(put):  # no other bytes were compared with the hash
                payload = item.payload
        if kind is not Kind.FOLDER and not new:
            self._empty(item.site, put.source, put.path)
        record = Record(
            what=What.PUT,
            source=put.source,
            position=self._next(item.site, put.source),
            path=put.path,
            meta=put.meta,
            hash=put.hash,
            seen_ns=put.seen_ns,
            inline=bool(payload),
        )
        self._fresh.note(put.source, put.path, state)
        if payload:
            self._contents.add(put.hash)
        self._keep(item, record, payload)

    def _new(self, put: Put) -> bool:
        """Whether nothing was ever at this path or below it."""
        if self._fresh.touches(put.source, put.path):
            return False
        return self._known.never(put.source, put.path, folder=put.meta.kind is Kind.FOLDER)

    def _content(self, item: Item, put: Put) -> Outcome | None:
        """Why a file's bytes are not at hand or not what was said; None when all is well."""
        if not put.inline:
            return None if self._has(put) else Outcome(item=item, code="need")
        if len(item.payload) != put.meta.size:
            return Outcome(item=item, code="size", text=f"{len(item.payload)} bytes came, not {put.meta.size}")
        if hashlib.sha256(item.payload).digest() != put.hash:
            return Outcome(item=item, code="hash", text="the bytes are not what the hash says", again=True)
        return None

    def _delete(self, item: Item, delete: Delete) -> None:
        state = self._state(delete.source, delete.path)
        emptied = self._empty(item.site, delete.source, delete.path)
        # A folder that was never put, or was deleted before, is one by what is in it.
        if not emptied and (state is None or state.meta is None):
            self._done(item, delete.source)
            return
        record = self._gone(item.site, delete.source, delete.path, delete.seen_ns)
        self._keep(item, record, b"")

    def _gone(self, site: str, source: str, path: bytes, seen_ns: int) -> Record:
        self._fresh.note(source, path, _GONE)
        position = self._next(site, source)
        return Record(what=What.DELETE, source=source, position=position, path=path, seen_ns=seen_ns)

    def _empty(self, site: str, source: str, path: bytes) -> bool:
        """What ends as a folder takes along what the sender has not named: each path's history says when it went.

        Returns:
            Whether there was anything.
        """
        live = self._fresh.lay_over(source, path, self._known.below(source, path))
        for each in sorted(live, key=key_of, reverse=True):
            self.records.append((self._gone(site, source, each, 0), b""))
        return bool(live)

    def _keep(self, item: Item, record: Record, payload: bytes) -> None:
        self.records.append((record, payload))
        self.waiting.append(Outcome(item=item, code="done", position=record.position))

    def _done(self, item: Item, source: str) -> None:
        position = self.positions.get(source, self._known.positions.get(source, 0))
        self.waiting.append(Outcome(item=item, code="done", position=position))

    def _state(self, source: str, path: bytes) -> State | None:
        return self._fresh.states.get((source, path)) or self._known.state(source, path)

    def _has(self, put: Put) -> bool:
        return put.hash in self._contents or self._known.has(put.hash, put.meta.size)

    def _holds(self, put: Put) -> bool:
        """Whether bytes that are at hand need not be written; few are not worth asking for an object of theirs."""
        if put.hash in self._contents or put.hash in self._held:
            return True
        return put.meta.size > INLINE and self._known.has_object(put.hash, put.meta.size)

    def _next(self, site: str, source: str) -> int:
        """The source's next position; a new source's own record comes first."""
        position = self.positions.get(source, self._known.positions.get(source, 0))
        if not position:
            position = 1
            begin = Record(what=What.SOURCE, source=source, position=position, name=site)
            self.records.append((begin, b""))
        self.positions[source] = position + 1
        return position + 1
