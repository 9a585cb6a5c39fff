"""The vault's server: takes connections, keeps what senders bring, answers readers."""

import asyncio
import contextlib
import shutil
import socket
import time
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from config.address import parse_listen
from config.model import Vault
from replicator.answers import Answers
from replicator.drops import Drops
from replicator.errors import BrokenError, FaultError, ReplicatorError, StreamError, TlsError, VaultError, WireError
from replicator.greeting import greet, welcome
from replicator.item import Item, Outcome
from replicator.local import LocalArchive
from replicator.messages import Beat, Hello, ToVault
from replicator.receiver import Receiver
from replicator.senders import Senders
from replicator.store import Callbacks, Store
from replicator.stream import Stream, accept, listen
from replicator.threads import in_thread
from replicator.tls import server_context
from replicator.vault_metrics import VaultMetrics

#: Connections at the same time; a county has a handful.
_CONNECTIONS_MAX = 256
_log = structlog.get_logger(__name__)


class VaultServer:
    """A vault that listens. `start`, then `port` and `status`; `stop` may be called twice.

    Args:
        settings: the `[vault]` section.
        registry: where its metrics are shown.
    """

    def __init__(self, settings: Vault, *, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._metrics = VaultMetrics(registry)
        self._senders = Senders()
        #: Whether contents were refused for want of room, and none has been taken since.
        self._lacking = False
        self._readers: set[Stream[ToVault]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._drops = Drops(self._metrics.dropped)
        self._number = 0
        self._started_at = time.monotonic()
        self._store: Store | None = None
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the vault and listen.

        Raises:
            VaultError: the folder cannot be used, or another process writes there.
            TlsError: certificates are wrong, or plain TCP would leave this machine.
        """
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[Exception] = self._loop.create_future()
        address = parse_listen(self._settings.listen)
        self._context = server_context(address.host, self._settings.ca, self._settings.cert, self._settings.key)
        callbacks = Callbacks(outcomes=self._outcomes, failed=self._store_failed)
        self._store = await in_thread(lambda: Store(self._settings.root, callbacks))
        try:
            self._socket = await listen(address.host, address.port)
        except OSError as error:
            await self.stop()
            why = str(error.strerror or error).lower()
            raise VaultError(f"listen on {self._settings.listen}: {why}", hint="is the port taken?") from None
        self._started_at = time.monotonic()
        self._metrics.damaged.set(len(self._store.damage))
        self._metrics.show(self._store.positions())
        self._accepting = self._loop.create_task(self._accept())
        self._beating = self._loop.create_task(self._beat())
        _log.info("vault listens", host=address.host, port=self.port, vault=self._store.vault, tls=bool(self._context))

    @property
    def port(self) -> int:
        """The port that it listens on."""
        if self._socket is None:
            raise VaultError("tell port: the vault does not listen")
        return int(self._socket.getsockname()[1])

    async def failed(self) -> Exception:
        """Wait until nothing more can be acknowledged, and give the reason; the process must end then."""
        return await asyncio.shield(self._failed)

    async def stop(self) -> None:
        """Take no more, commit what is here, write the catalog and `current/`, let go of everything."""
        tasks = [task for task in (self._accepting, self._beating, *self._tasks) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._store is not None:
            await in_thread(self._store.close)

    def status(self) -> dict[str, Any]:
        """What there is to say about the vault, fit for JSON."""
        store = self._opened()
        return {
            "vault": store.vault,
            "root": str(self._settings.root),
            "failed": str(store.failure) if store.failure else "",
            "full": self._full,
            "free_bytes": shutil.disk_usage(self._settings.root).free,
            "damage": [{"place": bad.name, "reason": bad.reason} for bad in store.damage],
            "connections": len(self._tasks),
            "sources": self._senders.status(store.positions(), store.sites(), since=self._started_at),
            "current": {"behind": store.behind, "failed": store.current.failed, "waits": store.current.waits},
        }

    async def _accept(self) -> None:
        if self._socket is None:
            return
        while True:
            try:
                connection, _ = await self._loop.sock_accept(self._socket)
            except OSError as error:  # out of descriptors: those that are open go on
                self._drops.tell("accept", str(error), "accept")
                await asyncio.sleep(0.1)
                continue
            if len(self._tasks) >= _CONNECTIONS_MAX:
                connection.close()
                continue
            connection.setblocking(False)
            task = self._loop.create_task(self._connection(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connection(self, connection: socket.socket) -> None:
        try:
            stream = await accept(connection, context=self._context)
        except StreamError as error:
            self._drops.drop("tls", error)
            return
        try:
            await self._serve(stream)
        except Exception:  # noqa: BLE001 - one connection's fault must not end the vault
            _log.exception("connection ended by a fault of ours", peer=stream.peer)
        finally:
            await stream.close()

    async def _serve(self, stream: Stream[ToVault]) -> None:
        """One connection from `Hello` to its end; whatever is wrong with it ends it and nothing else."""
        try:
            hello = await greet(stream)
            if hello.role == "sender":
                await self._receive(stream, hello)
            else:
                await self._read(stream)
        except BrokenError as error:
            self._opened().fail(error)
            await stream.fault("broken", str(error), error.hint)
        except WireError as error:
            self._drops.drop("wire", error, stream.peer)
            await stream.fault("wire", str(error), error.hint)
        except FaultError as error:
            _log.info("other end left", peer=stream.peer, code=error.code, text=str(error))
        except TlsError as error:
            self._drops.drop("tls", error, stream.peer)
        except StreamError as error:
            if "silent" in str(error):
                self._drops.drop("silent", error, stream.peer)
        except ReplicatorError as error:
            self._drops.drop("protocol", error, stream.peer)
            await stream.fault("protocol", str(error), error.hint)

    async def _receive(self, stream: Stream[ToVault], hello: Hello) -> None:
        store = self._opened()
        for source in hello.sources:
            if (site := store.sites().get(source, hello.site)) != hello.site:
                text = f"source {source} belongs to site {site}"
                await stream.fault(
                    "taken", text, "give the source another id; the one of the old site keeps its history"
                )
                return
        self._number += 1
        label = str(self._number)
        with LocalArchive(self._settings.root) as archive:
            answer = Answers(archive).answer
            receiver = Receiver(stream, hello, self, store.objects, store.partials, label=label, answer=answer)
            async with self._senders.take_over(receiver):
                await self._settled()
                with self._metrics.connections.labels("sender").track_inprogress():
                    positions = store.positions()
                    await stream.send(welcome(store.vault, {each: positions.get(each, 0) for each in hello.sources}))
                    await receiver.run()

    async def _read(self, stream: Stream[ToVault]) -> None:
        with (
            self._metrics.connections.labels("reader").track_inprogress(),
            LocalArchive(self._settings.root) as archive,
        ):
            await stream.send(welcome(self._opened().vault, {}))
            self._readers.add(stream)
            try:
                await Answers(archive).serve(stream)
            finally:
                self._readers.discard(stream)

    async def _beat(self) -> None:
        """Tell everyone each second that the vault lives, and look after the gauges."""
        while True:
            await asyncio.sleep(1)
            senders = [receiver.stream for receiver in self._senders.all() if receiver.welcomed]
            for stream in (*senders, *self._readers):
                if not stream.closing:
                    stream.post(Beat(now_ns=time.time_ns()))
            store = self._opened()
            with contextlib.suppress(OSError):  # a disk that does not answer must not silence the beat
                self._metrics.free_bytes.set(shutil.disk_usage(self._settings.root).free)
            self._metrics.behind.set(store.behind)
            self._metrics.full.set(self._full)

    # ---------------------------------------------------------------- the store, as receivers see it

    def submit(self, *items: Item) -> None:
        """As in `Shelf`."""
        self._metrics.received_bytes.inc(sum(item.size for item in items))
        self._opened().submit(*items)

    def positions(self) -> dict[str, int]:
        """As in `Shelf`."""
        return self._opened().positions()

    def count_refused(self, reason: str, *, content: bool = False) -> None:
        """As in `Shelf`."""
        self._lacking = self._lacking or (content and reason == "full")
        self._metrics.refused.labels(reason).inc()

    def _opened(self) -> Store:
        if self._store is None:
            raise VaultError("use vault: it is not open")
        return self._store

    async def _settled(self) -> None:
        """Wait until what was submitted before is durable."""
        settled: asyncio.Future[None] = self._loop.create_future()
        self._opened().submit(Item(message=None, site="", ticket=settled))
        await asyncio.wait((settled, self._failed), return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            raise StreamError(f"settle vault: {self._failed.result()}")

    def _outcomes(self, outcomes: list[Outcome], seconds: float) -> None:
        """Called in the thread that commits."""
        self._metrics.commit_seconds.observe(seconds)
        self._call(self._deliver, outcomes)

    @property
    def _full(self) -> bool:
        """Whether the last contents that came found no room."""
        return self._lacking or self._opened().full

    def _deliver(self, outcomes: list[Outcome]) -> None:
        if self._lacking and any(each.code == "done" and each.item.content for each in outcomes):
            self._lacking = False
        by_receiver: dict[Receiver, list[Outcome]] = {}
        for outcome in outcomes:
            ticket = outcome.item.ticket
            if isinstance(ticket, Receiver):
                by_receiver.setdefault(ticket, []).append(outcome)
            elif not ticket.done():
                ticket.set_result(None)
        for receiver, own in by_receiver.items():
            receiver.deliver(own)
        if by_receiver:
            self._metrics.show(self.positions())

    def _store_failed(self, error: Exception) -> None:
        """Called in any thread."""
        _log.error("vault acknowledges nothing more", reason=str(error), hint=getattr(error, "hint", ""))
        self._call(self._end, error)

    def _end(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_result(error)
        if self._accepting is not None:
            self._accepting.cancel()
        for receiver in self._senders.all():
            task = self._loop.create_task(receiver.stream.fault("broken", str(error), getattr(error, "hint", "")))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _call(self, function: Any, argument: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, argument)
