"""Connects with the vault, again and again, and ships over the connection while it lives."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

import structlog

from config.address import VaultAddress
from config.hours import bandwidth_at
from config.model import Config
from replicator.bandwidth import Bandwidth
from replicator.errors import ReplicatorError, StreamError, TlsError
from replicator.evacuation import Evacuations, SealDue
from replicator.journal import Journal
from replicator.link import Link, Sent
from replicator.messages import PROTOCOL, Beat, Done, End, FromVault, Have, Hello, Listed, Need, Refused, Welcome
from replicator.reconcile import Reconciler
from replicator.replicator_metrics import LineMetrics
from replicator.sender import Sender
from replicator.source import Source
from replicator.stream import Stream, connect
from replicator.tls import client_context

#: Seconds between two tries to connect: doubled from the first to the second, less up to half by chance.
_FIRST, _MOST = 0.2, 5.0
_BEAT = 1.0
#: Seconds between two looks for seals that are due.
_SEALS = 0.1
#: Seconds before a seal that was refused is said again.
_SEAL_AGAIN = 1.0

log = structlog.get_logger(__name__)


class Session:
    """The line to the vault. `run` until cancelled.

    Attributes:
        connected: whether the vault has welcomed us.
        since_ns: since when that is so.
        reason: why not, with the next step; empty when connected.
        vault: the vault's id, when it was heard.
    """

    def __init__(
        self,
        config: Config,
        address: VaultAddress,
        *,
        sources: list[Source],
        journal: Journal,
        evacuations: Evacuations,
        metrics: LineMetrics,
        changed: Callable[[], None],
    ) -> None:
        if config.replicator is None:
            raise ValueError("no [replicator]")
        self._config = config
        self._settings = config.replicator
        self._host, self._port = address.host, address.port
        self._sources = {source.id: source for source in sources}
        self._journal = journal
        self._evacuations = evacuations
        self._metrics = metrics
        self._changed = changed
        self.bandwidth = Bandwidth(self._rate())
        self.connected = False
        self.since_ns = time.time_ns()
        self.reason = "not connected yet"
        self.vault = ""
        self._wait = _FIRST
        #: How far the vault may be ahead of the journal: what was under way when the last connection ended.
        self._ahead: int = 0
        #: Sources whose journal was found to be another than the vault's, until the two have been compared: a
        #: connection that ends before that proves nothing, however well the positions fit then.
        self._doubted: set[str] = set()

    async def run(self) -> None:
        """Connect, ship, and when it ends connect again."""
        while True:
            try:
                await self._once()
            except* ReplicatorError as group:
                self._lost(_first(group))
            await asyncio.sleep(self._wait * random.uniform(0.5, 1))  # noqa: S311 - to spread, not to hide
            self._wait = min(self._wait * 2, _MOST)

    async def _once(self) -> None:
        context = client_context(self._host, self._settings.ca, self._settings.cert, self._settings.key)
        stream = await connect(self._host, self._port, context=context)
        link = Link(stream, self.bandwidth, self._metrics)
        try:
            welcome = await self._greet(stream)
            self._welcomed(welcome)
            link.takes = frozenset(welcome.takes)
            await self._serve(stream, link, welcome)
        finally:
            self._ahead = len(link)
            for source in self._sources.values():
                source.recall()
            for sent in link.unanswered():
                if sent.item is None and sent.seal is None:
                    self._sources[sent.source].mark([sent.path])  # a folder put ahead of what is in it
            self._evacuations.reconnected()
            await stream.close()

    async def _greet(self, stream: Stream[FromVault]) -> Welcome:
        await stream.send(
            Hello(protocol=PROTOCOL, role="sender", site=self._config.site.id, sources=list(self._sources))
        )
        while True:
            message, _ = await stream.receive()
            if isinstance(message, Welcome):
                return message
            if not isinstance(message, Beat):
                raise StreamError(f"greet vault {stream.peer}: it answered {type(message).__name__.lower()}")

    def _welcomed(self, welcome: Welcome) -> None:
        for source in self._sources.values():
            if not self._trust(source, welcome):
                self._doubted.add(source.id)
            source.trusted = source.id not in self._doubted
        self.connected, self.since_ns, self.reason, self.vault = True, time.time_ns(), "", welcome.vault
        self._wait = _FIRST
        log.info("vault connected", vault=welcome.vault, address=f"{self._host}:{self._port}")
        self._changed()

    def _trust(self, source: Source, welcome: Welcome) -> bool:
        """Whether the journal still speaks of this vault, and of all that it has."""
        position, row = welcome.positions.get(source.id, 0), source.row
        if not row.vault and not position:
            row.vault = welcome.vault
            return True
        return row.vault == welcome.vault and row.position <= position <= row.position + self._ahead

    async def _serve(self, stream: Stream[FromVault], link: Link, welcome: Welcome) -> None:
        reconciler = Reconciler(link, self._journal)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._receive(stream, link, reconciler))
            tasks.create_task(self._beat(link))
            tasks.create_task(self._seal(link))
            tasks.create_task(self._reconcile(reconciler, welcome))
            for source in self._sources.values():
                tasks.create_task(self._mark(source, link))
                tasks.create_task(Sender(source, link, urgent=lambda: bool(self._evacuations)).run())

    async def _receive(self, stream: Stream[FromVault], link: Link, reconciler: Reconciler) -> None:
        while True:
            message, _ = await stream.receive()
            match message:
                case Done():
                    self._done(message, link)
                case Refused(id=0):
                    await reconciler.listed(StreamError(f"list vault: {message.text}"))
                case Need() | Refused():
                    self._answered(link.answered(message), message)
                case Have():
                    link.have(message)
                case Listed():
                    await reconciler.listed(message.entries)
                case End():
                    await reconciler.listed(None)

    def _done(self, message: Done, link: Link) -> None:
        for sent in link.done(message):
            if sent.seal is not None:
                sent.seal()
            else:
                self._sources[sent.source].done(sent)
        for name, position in message.positions.items():
            if name in self._sources:
                self._sources[name].at(position)

    def _answered(self, sent: Sent | None, message: Need | Refused) -> None:
        if sent is None:
            return
        if sent.seal is not None:
            if sent.unsealed is not None:
                asyncio.get_running_loop().call_later(_SEAL_AGAIN, sent.unsealed)
            return
        source = self._sources[sent.source]
        if isinstance(message, Need):
            source.needed(sent)
        else:
            source.refused(sent, message)

    def _rate(self) -> int:
        """Bytes a second that the configuration grants at this time of the week."""
        local = datetime.now(self._config.site.zone)
        return bandwidth_at(local, self._settings.bandwidth, self._settings.hours)

    async def _beat(self, link: Link) -> None:
        while True:
            self.bandwidth.limit(self._rate())
            pending = [source.pending for source in self._sources.values()]
            oldest = [each.oldest_ns for each in pending if each.oldest_ns]
            link.post(
                Beat(
                    now_ns=time.time_ns(),
                    pending=sum(map(len, pending)),
                    pending_bytes=sum(each.bytes for each in pending),
                    oldest_ns=min(oldest, default=0),
                )
            )
            await asyncio.sleep(_BEAT)

    async def _seal(self, link: Link) -> None:
        while True:
            await self._evacuations.running.wait()
            for seal in self._evacuations.due(self._sources.values()):
                pending = seal.source.pending
                sent = Sent(
                    source=seal.source.id,
                    path=b"",
                    item=None,
                    known=None,
                    size=0,
                    seal=partial(self._sealed, seal),
                    unsealed=partial(self._evacuations.refused, seal),
                )
                link.seal(sent, seal.name, len(pending), pending.bytes, pending.oldest_ns)
            await asyncio.sleep(_SEALS)

    async def _mark(self, source: Source, link: Link) -> None:
        """Carry the canaries of one source over."""
        while True:
            await source.canary.wanted.wait()
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            done, refused = partial(_answer, answer, True), partial(_answer, answer, False)
            link.mark(Sent(source=source.id, path=b"", item=None, known=None, size=0, seal=done, unsealed=refused))
            if await answer:
                source.canary.durable()

    def _sealed(self, seal: SealDue) -> None:
        self._evacuations.durable(seal)
        log.info("recovery point sealed", source=seal.source.id, point=seal.name)
        self._changed()

    async def _reconcile(self, reconciler: Reconciler, welcome: Welcome) -> None:
        for source in self._sources.values():
            position = welcome.positions.get(source.id, 0)
            if not source.trusted:
                differing = await reconciler.reconcile(source, position)
                log.info("journal reconciled", source=source.id, vault=welcome.vault, differing=differing)
                source.row.vault = welcome.vault
                self._doubted.discard(source.id)
                source.trusted = True
            source.at(max(position, source.row.position if source.row.vault == welcome.vault else 0))

    def _lost(self, error: ReplicatorError) -> None:
        reason = f"{error} ({error.hint})" if error.hint else str(error)
        if self.connected:
            self.connected, self.since_ns = False, time.time_ns()
        if reason != self.reason:
            log.warning(
                "vault not connected", reason=str(error), hint=error.hint, permanent=isinstance(error, TlsError)
            )
        self.reason = reason
        self._changed()


def _answer(future: asyncio.Future[bool], done: bool) -> None:
    """Give the word to who waits, if still somebody does."""
    if not future.done():
        future.set_result(done)


def _first(group: BaseExceptionGroup[ReplicatorError]) -> ReplicatorError:
    """The reason within a group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, ReplicatorError):
        raise error
    return error
